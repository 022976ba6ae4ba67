"""A real etcd and kube-apiserver, up in seconds, on free ports and in a folder of their own.

Several may run at once. There is no controller manager: no service account tokens are made for
pods, a deleted namespace stays Terminating, and nothing follows an owner. Pods can be created,
as the ServiceAccount admission is off unless asked for.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.cluster.lab import pki
from tests.cluster.lab.binaries import program
from tests.cluster.lab.process import NotReadyError, Process, free_ports

SERVICE_ADDRESS = "10.96.0.1"
USERS: Mapping[str, tuple[str, ...]] = {
    "admin": ("system:masters",),
    "alice": (),
    "bob": (),
    "system:node:node1": ("system:nodes",),
    "system:node:node2": ("system:nodes",),
}


@dataclass(frozen=True, slots=True)
class Options:
    """How an API server is started; the plain values suit tests of one process."""

    users: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: USERS)
    """Names with their groups; each user's token is `<name>-token`."""
    flags: Sequence[str] = ()
    """Further flags of kube-apiserver; of two that contradict the last one counts."""
    disabled_admission: Sequence[str] = ("ServiceAccount",)
    address: str = "127.0.0.1"
    """Where it listens for the machine's own clients."""
    bind: str = "127.0.0.1"
    entering: Sequence[str] = ()
    """Command line before every program: into the network the server is on."""


class KubectlError(Exception):
    """kubectl said no; the text is what it wrote."""


class ApiServer:
    """etcd and kube-apiserver in one folder; `start`, use, `stop`."""

    def __init__(self, folder: Path, options: Options | None = None) -> None:
        self.options = options or Options()
        self.folder = folder
        self.port = 0
        self._ports: list[int] = []
        self._processes: list[Process] = []

    @property
    def url(self) -> str:
        return f"https://{self.options.address}:{self.port}"

    @property
    def ca_file(self) -> Path:
        return self.folder / "pki" / "ca.crt"

    @property
    def log(self) -> Path:
        """What kube-apiserver wrote."""
        return self.folder / "log" / "kube-apiserver"

    def token(self, user: str = "admin") -> str:
        """Return the bearer token of a user of the options."""
        assert user in self.options.users, f"no user {user}"
        return f"{user.replace(':', '-')}-token"

    def start(self) -> None:
        """Start both; returns when the API is ready (3 to 6 s). What etcd has is kept.

        Raises:
            NotReadyError: One did not come up; nothing is left running.
        """
        if not self._ports:
            self._ports = free_ports(3)
            self._write_files()
        self.port, client, peer = self._ports
        etcd = self.beside("etcd", *self._etcd(client, peer))
        server = self.beside("kube-apiserver", *self._server(client))
        self._processes = [etcd, server]
        try:
            etcd.start()
            server.start()
            server.wait_until(self.is_ready, seconds=60)
        except NotReadyError:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop both, for good."""
        for process in reversed(self._processes):
            process.stop(grace=2)
        self._processes = []

    def stop_server(self) -> None:
        """Stop kube-apiserver alone; etcd keeps what it has."""
        # Open watches would make it wait for a minute.
        self._processes[1].stop(grace=2)

    def start_server(self) -> None:
        """Start kube-apiserver again, on the same port; returns when it is ready."""
        self._processes[1].start()
        self._processes[1].wait_until(self.is_ready, seconds=60)

    def is_ready(self) -> bool:
        """Report whether /readyz says so now."""
        try:
            return self.kubectl("get", "--raw=/readyz", seconds=10) == "ok"
        except (KubectlError, subprocess.TimeoutExpired):
            return False

    def beside(self, name: str, *argv: str) -> Process:
        """Return a further program on the server's network; not started yet."""
        return Process(name, [*self.options.entering, *argv], self.folder / "log" / name)

    def kubeconfig(self, user: str = "admin") -> Path:
        """Return a kubeconfig file for a user of the options."""
        path = self.folder / "kubeconfig" / user.replace(":", "-")
        self.write_kubeconfig(path, self.token(user))
        return path

    def write_kubeconfig(self, path: Path, token: str) -> None:
        """Write a kubeconfig for any bearer token, such as a service account's."""
        cluster = {"server": self.url, "certificate-authority": str(self.ca_file)}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "lab", "cluster": cluster}],
            "users": [{"name": "user", "user": {"token": token}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "user"}}],
            "current-context": "lab",
        }
        whole = path.with_name(f"{path.name}.{uuid4().hex}")
        whole.write_text(json.dumps(content))
        whole.replace(path)  # another thread's kubectl may be reading it

    def service_account_token(self, namespace: str, name: str) -> str:
        """Return a token of an existing service account, by TokenRequest."""
        return self.kubectl("create", "token", name, "-n", namespace).strip()

    def kubectl(
        self, *argv: str, text: str = "", user: str = "admin", seconds: float = 60.0
    ) -> str:
        """Run kubectl as a user; return its output, `text` is its input.

        Raises:
            KubectlError: It ended with an error.
        """
        return self._run(argv, text, user, seconds).stdout

    def told(self, *argv: str, text: str = "") -> str:
        """Return all that a person at a terminal sees of a kubectl command, warnings included.

        Raises:
            KubectlError: It ended with an error.
        """
        done = self._run(argv, text, "admin", 60.0)
        return done.stderr + done.stdout

    def _run(
        self, argv: tuple[str, ...], text: str, user: str, seconds: float
    ) -> subprocess.CompletedProcess[str]:
        command = [
            *self.options.entering,
            program("kubectl"),
            f"--kubeconfig={self.kubeconfig(user)}",
            f"--cache-dir={self.folder / 'kubectl'}",
            *argv,
        ]
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, check=False, timeout=seconds
        )
        if done.returncode != 0:
            raise KubectlError(f"kubectl {' '.join(argv)}: {done.stderr}{done.stdout}")
        return done

    def get(self, *argv: str) -> Any:
        """Return the object or list that `kubectl get … -o json` gives."""
        return json.loads(self.kubectl("get", *argv, "-o", "json"))

    def apply(self, *objects: Mapping[str, Any], user: str = "admin") -> str:
        """Apply objects server-side, as one list."""
        items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        return self.kubectl("apply", "--server-side", "-f", "-", text=json.dumps(items), user=user)

    def _write_files(self) -> None:
        for kind in ("log", "etcd", "kubeconfig"):
            (self.folder / kind).mkdir(parents=True, exist_ok=True)
        pki.write(self.folder / "pki", {"127.0.0.1", self.options.address, SERVICE_ADDRESS})
        rows = [
            f'{self.token(user)},{user},{user},"{",".join(groups)}"'
            for user, groups in self.options.users.items()
        ]
        (self.folder / "pki" / "tokens.csv").write_text("\n".join(rows) + "\n")

    def _etcd(self, client: int, peer: int) -> list[str]:
        listen = f"http://127.0.0.1:{client}"
        return [
            program("etcd"),
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={listen}",
            f"--advertise-client-urls={listen}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-cluster=default=http://127.0.0.1:{peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def _server(self, client: int) -> list[str]:
        pki_folder = self.folder / "pki"
        # With the address of one machine there is nothing to reconcile; 192.0.2.1 is nobody's.
        local = self.options.address == "127.0.0.1"
        return [
            program("kube-apiserver"),
            f"--etcd-servers=http://127.0.0.1:{client}",
            f"--secure-port={self.port}",
            f"--bind-address={self.options.bind}",
            f"--advertise-address={'192.0.2.1' if local else self.options.address}",
            f"--endpoint-reconciler-type={'none' if local else 'lease'}",
            f"--cert-dir={pki_folder}",
            f"--tls-cert-file={pki_folder / 'apiserver.crt'}",
            f"--tls-private-key-file={pki_folder / 'apiserver.key'}",
            f"--service-account-key-file={pki_folder / 'sa.key'}",
            f"--service-account-signing-key-file={pki_folder / 'sa.key'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--token-auth-file={pki_folder / 'tokens.csv'}",
            "--authorization-mode=Node,RBAC",
            "--allow-privileged=true",
            "--service-cluster-ip-range=10.96.0.0/16",
            f"--disable-admission-plugins={','.join(self.options.disabled_admission)}",
            *self.options.flags,
        ]


@contextlib.contextmanager
def running_api_server(options: Options | None = None) -> Iterator[ApiServer]:
    """Run an API server in a temporary folder; nothing of it stays."""
    folder = Path(tempfile.mkdtemp(prefix="netplane-api-"))
    server = ApiServer(folder, options)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
