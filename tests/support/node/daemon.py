"""The real daemon as a process on a node of a test's own, called over its socket."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.node.netns import CNI_BIN_DIR, Namespace

ROOT = Path(__file__).parents[3]
JsonObject = dict[str, Any]


class DiedError(Exception):
    """The daemon closed the connection without an answer."""


@dataclass
class Place:
    """Where a daemon's files are, below one directory of the test.

    Attributes:
        directory: short, for a unix socket's path is at most 107 bytes.
        host: the namespace that is the node.
    """

    directory: Path
    host: Namespace
    process: subprocess.Popen[bytes] | None = field(default=None)

    def __post_init__(self) -> None:
        for name in ("manifests", "net.d"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)

    @property
    def socket(self) -> Path:
        return self.directory / "s"

    @property
    def state(self) -> Path:
        return self.directory / "state"

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text()

    def manifest(self, name: str, *objects: JsonObject) -> None:
        """Write manifests as one multi-document file."""
        text = "\n---\n".join(json.dumps(obj) for obj in objects)
        (self.directory / "manifests" / f"{name}.yaml").write_text(text)

    def default_network(self, conf: JsonObject) -> None:
        """Write the cluster's own network."""
        (self.directory / "net.d" / "10-cluster.conflist").write_text(json.dumps(conf))

    def launch(self, *flags: str, module: Sequence[str] = ("cni",)) -> None:
        """Start the daemon."""
        command = [
            *("ip", "netns", "exec", self.host.name, sys.executable, "-m", *module),
            *("--standalone", str(self.directory / "manifests")),
            *("--node", "node-a", "--socket", str(self.socket)),
            *("--state-dir", str(self.state), "--cni-conf-dir", str(self.directory / "net.d")),
            *("--cni-bin-dir", CNI_BIN_DIR),
            *("--data-dirs", f"/var/lib/cni:{self.directory}", *flags),
        ]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=log, cwd=ROOT)

    def start(self, *flags: str, module: Sequence[str] = ("cni",)) -> None:
        """Start the daemon and wait until it serves."""
        self.launch(*flags, module=module)
        assert self.process is not None
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(str(self.socket)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError(f"the daemon does not serve:\n{self.log}")

    def stop(self) -> int:
        """Ask the daemon to end; return its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def kill(self) -> None:
        """End the daemon as a power loss does, for the process."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)

    def call(
        self,
        verb: str,
        netns: str,
        *,
        container: str = "c1",
        ifname: str = "eth0",
        pod: str = "",
        args: str = "IgnoreUnknown=1",
        conf: JsonObject | None = None,
    ) -> JsonObject:
        """Carry out a verb; return the result, {} where there is none.

        Raises:
            CniError: the daemon answered with an error.
            DiedError: it did not answer.
        """
        if pod:
            namespace, _, name = pod.partition("/")
            args += f";K8S_POD_NAMESPACE={namespace};K8S_POD_NAME={name}"
        whole = {"cniVersion": "1.1.0", "name": "netplane", "type": "netplane", **(conf or {})}
        body = json.dumps(whole).encode()
        headers = {
            "Host": "netplane",
            "Cni-Command": verb,
            "Cni-Containerid": container,
            "Cni-Netns": netns,
            "Cni-Ifname": ifname,
            "Cni-Args": args,
            "Cni-Path": CNI_BIN_DIR,
            "Connection": "close",
            "Content-Length": str(len(body)),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value)
        answer = self._talk(f"POST /v1/cni HTTP/1.1\r\n{head}\r\n".encode() + body)
        top, _, stdout = answer.partition(b"\r\n\r\n")
        if not top:
            raise DiedError
        parsed = json.loads(stdout) if stdout.strip() else {}
        if b"Cni-Exit: 0" not in top:
            raise CniError(parsed)
        return parsed

    def _talk(self, request: bytes) -> bytes:
        answer = b""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(str(self.socket))
            try:
                connection.sendall(request)
                while chunk := connection.recv(65536):
                    answer += chunk
            except ConnectionError:
                return b""
        return answer


class CniError(Exception):
    """What the daemon answered instead of a result."""

    def __init__(self, error: JsonObject) -> None:
        super().__init__(error.get("msg"))
        self.code = error.get("code")
        self.msg = error.get("msg", "")
        self.details = error.get("details", "")


@contextmanager
def place(directory: Path, host: Namespace) -> Iterator[Place]:
    """Make a place whose daemon is gone afterwards."""
    made = Place(directory, host)
    try:
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            os.kill(made.process.pid, signal.SIGKILL)
            made.process.wait(30)
