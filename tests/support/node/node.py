"""A node that runs: a namespace of its own, a daemon process in it, and the shim that calls it.

Nothing is faked. Invariant: `remains` names whatever a call left behind that the node did not have
before: links, address files, journal entries, spooled requests, statuses.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from planes.store.pod_files import PodFiles
from tests.support.node.netns import CNI_BIN_DIR, Namespace
from tests.support.node.reply import Reply

ROOT = Path(__file__).parents[3]
READY_SECONDS = 120.0
NAMESPACE = "shop"
_BRIDGES = frozenset({"cni0", "cni1"})  # a bridge outlives its containers, as the reference's
_LOCKS = frozenset({".lock", "lock", "cursor"})

JsonObject = dict[str, Any]


@dataclass
class LiveNode:
    """A node; `start` begins its daemon.

    Attributes:
        host: the namespace that stands for the node; eth1 and eth2 are its cards.
        home: manifests, state and configuration.
        socket: of the daemon; in a directory of its own since such paths are short.
        shim: the binary.
        program: what runs the daemon, before its options.
    """

    host: Namespace
    home: Path
    socket: Path
    shim: Path
    program: Sequence[str] = (sys.executable, "-m", "cni")
    options: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = None
    _links: frozenset[str] = field(default_factory=frozenset)

    @property
    def manifests(self) -> Path:
        return self.home / "manifests"

    @property
    def state(self) -> Path:
        return self.home / "state"

    @property
    def conf_dir(self) -> Path:
        return self.home / "net.d"

    @property
    def log(self) -> Path:
        return self.home / "daemon.log"

    @property
    def pods(self) -> PodFiles:
        return PodFiles(self.manifests)

    def prepare(self, manifests: Sequence[JsonObject]) -> None:
        """Write the manifests and the cluster network: a bridge of the reference plugin."""
        self._links = self._host_links()
        for directory in (self.manifests, self.conf_dir):
            directory.mkdir(parents=True)
        self.put(*manifests)
        cluster = {
            "cniVersion": "1.0.0",
            "name": "cluster",
            "plugins": [self.bridge_conf()],
        }
        (self.conf_dir / "10-cluster.conflist").write_text(json.dumps(cluster))

    def bridge_conf(self, subnet: str = "10.244.1.0/24") -> JsonObject:
        """Return the cluster network's plugin, for a conflist or a delegate."""
        directory = str(self.home / "networks")
        ipam = {"type": "host-local", "subnet": subnet, "dataDir": directory}
        return {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipam": ipam}

    def put(self, *manifests: JsonObject) -> None:
        """Write manifests, one file each."""
        for manifest in manifests:
            meta = manifest["metadata"]
            name = f"{manifest['kind']}-{meta.get('namespace', '')}-{meta['name']}.json"
            (self.manifests / name.lower()).write_text(json.dumps(manifest))

    def pod_object(self, name: str, annotations: Mapping[str, str] | None = None) -> JsonObject:
        """Return a pod of the shop."""
        meta: JsonObject = {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}"}
        if annotations:
            meta["annotations"] = dict(annotations)
        spec = {"containers": [{"name": "main", "image": "app"}]}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}

    def put_pod(self, name: str, annotations: Mapping[str, str] | None = None) -> None:
        """Create a pod of the shop, as if admission had been down."""
        self.pods.put(self.pod_object(name, annotations))

    def source(self) -> Sequence[str]:
        """Return the options that say where planes and pods come from."""
        return "--standalone", str(self.manifests)

    def begin(self) -> None:
        """Begin the daemon without waiting for it."""
        command = [
            *("nsenter", f"--net={self.host.path}", "--", *self.program),
            *self.source(),
            *("--node", "node1"),
            *("--socket", str(self.socket), "--state-dir", str(self.state)),
            *("--cni-conf-dir", str(self.conf_dir), "--cni-bin-dir", CNI_BIN_DIR),
            *("--data-dirs", f"/var/lib/cni:{self.home}"),
            *self.options,
        ]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def start(self) -> None:
        """Begin the daemon and wait until it serves."""
        self.begin()
        deadline = time.monotonic() + READY_SECONDS
        while not self.is_listening():
            assert self.process is not None
            assert self.process.poll() is None, self.log_text()[-2000:]
            assert time.monotonic() < deadline, self.log_text()[-2000:]
            time.sleep(0.02)

    def is_listening(self) -> bool:
        """Report whether the daemon takes calls now."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the daemon by a signal; return its exit status."""
        process, self.process = self.process, None
        if process is None:
            return 0
        process.send_signal(number)
        try:
            return process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def env(
        self,
        verb: str,
        container_id: str,
        netns: Namespace | str = "",
        *,
        pod: str = "",
        **more: str,
    ) -> dict[str, str]:
        """The environment of a call, as a kubelet's runtime makes it where a pod is named."""
        if pod:
            more["CNI_ARGS"] = (
                f"IgnoreUnknown=1;K8S_POD_NAMESPACE={NAMESPACE};K8S_POD_NAME={pod};"
                f"K8S_POD_INFRA_CONTAINER_ID={container_id};K8S_POD_UID=uid-{pod}"
            )
        return {
            "CNI_COMMAND": verb,
            "CNI_CONTAINERID": container_id,
            "CNI_NETNS": netns.path if isinstance(netns, Namespace) else netns,
            "CNI_IFNAME": "eth0",
            "CNI_PATH": CNI_BIN_DIR,
            "NETPLANE_SOCKET": str(self.socket),
            "NETPLANE_STATE_DIR": str(self.state),
            "NETPLANE_WAIT_SECONDS": "1",
            **more,
        }

    def call(
        self,
        verb: str,
        container_id: str,
        netns: Namespace | str = "",
        *,
        stdin: JsonObject | bytes | None = None,
        pod: str = "",
        **more: str,
    ) -> Reply:
        """Call the shim as a container runtime does."""
        return self.run(self.env(verb, container_id, netns, pod=pod, **more), stdin)

    def run(self, env: Mapping[str, str], stdin: JsonObject | bytes | None = None) -> Reply:
        """Call the shim with exactly this environment."""
        begun = time.monotonic()
        process = self._start_shim(env)
        out, err = process.communicate(as_bytes(stdin), timeout=100)
        return Reply(process.returncode, out, err, time.monotonic() - begun)

    def begin_call(self, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Call the shim with the shortest netconf; `end_call` waits for it."""
        process = self._start_shim(env)
        assert process.stdin is not None
        process.stdin.write(as_bytes())
        process.stdin.close()
        process.stdin = None
        return process

    def _start_shim(self, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        return subprocess.Popen([self.shim], stdin=pipe, stdout=pipe, stderr=pipe, env=env)

    def log_text(self) -> str:
        """Return what the daemon logged."""
        return self.log.read_text(errors="replace")

    def events(self) -> list[JsonObject]:
        """Return the events published so far."""
        path = self.state / "events.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def status_of(self, pod: str, namespace: str = NAMESPACE) -> list[JsonObject]:
        """Return the network-status of a pod."""
        path = self.state / "status" / namespace / f"{pod}.json"
        found: list[JsonObject] = json.loads(path.read_text())
        return found

    def remains(self, seconds: float = 20.0) -> list[str]:
        """Name what was left behind by calls, once the kernel has had time to end namespaces."""
        deadline = time.monotonic() + seconds
        while (found := self._remains()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return found

    def _remains(self) -> list[str]:
        kept = [
            path
            for place in ("state/journal", "state/spool", "state/status", "state/addresses")
            for path in (self.home / place).rglob("*")
        ] + list((self.home / "networks").rglob("*"))
        files = [
            str(path.relative_to(self.home))
            for path in kept
            if path.is_file()
            and path.name not in _LOCKS
            and not path.name.startswith(("last_reserved_ip", "cooling-", ".last-", ".complete"))
        ]
        links = sorted(self._host_links() - self._links - _BRIDGES)
        return sorted(files) + [f"link {name}" for name in links]

    def _host_links(self) -> frozenset[str]:
        return frozenset(link["ifname"] for link in self.host.ip_json("link"))


def netconf(**keys: Any) -> JsonObject:
    """Return a netconf of ours."""
    return {"cniVersion": "1.0.0", "name": "netplane", "type": "netplane", **keys}


def addresses_in(sandbox: Namespace) -> dict[str, list[str]]:
    """Return the IPv4 addresses of each interface in a sandbox."""
    return {
        link["ifname"]: [
            f"{one['local']}/{one['prefixlen']}"
            for one in link["addr_info"]
            if one["family"] == "inet"
        ]
        for link in sandbox.ip_json("addr")
        if link["ifname"] != "lo"
    }


def as_bytes(stdin: JsonObject | bytes | None = None) -> bytes:
    """Return a netconf as the shim reads it; None is the shortest of ours."""
    if isinstance(stdin, bytes):
        return stdin
    return json.dumps(netconf() if stdin is None else stdin).encode()


def end_call(process: subprocess.Popen[bytes]) -> tuple[int, bytes]:
    """Wait for a call that has begun; return its status and stdout."""
    stdout, _ = process.communicate(timeout=100)
    return process.returncode, stdout


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until something holds; fail where it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
