"""A healthy node in a network namespace, with all that `netplane doctor` looks at."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from planes.model.errors import JsonObject
from tests.support.command_line import Outcome, netplane
from tests.support.node.inside import inside
from tests.support.node.netns import Namespace, host_with_cards
from tests.support.planes import plane_object

OURS = {"cniVersion": "1.0.0", "name": "netplane", "type": "netplane", "planes": ["business"]}
DEFAULT: dict[str, Any] = {
    "cniVersion": "1.0.0",
    "name": "cbr0",
    "plugins": [{"type": "bridge", "ipam": {"type": "host-local", "subnet": "10.244.1.0/24"}}],
}
SYSCTLS = {
    "ipv4/conf/all/rp_filter": "0",
    "ipv4/conf/default/rp_filter": "0",
    "ipv4/ip_forward": "1",
}


class DoctoredNode:
    """The node; `found` runs the command on it.

    Attributes:
        host: eth0 has the default route, eth1 is free.
        root: has manifests, state, CNI conf dir and plugins.
    """

    def __init__(self, host: Namespace, root: Path) -> None:
        self.host = host
        self.root = root
        for name in ("manifests", "state/journal", "net.d", "bin", "cni"):
            (root / name).mkdir(parents=True)
        self.write("net.d/00-planes.conf", OURS)
        self.write("net.d/10-default.conflist", DEFAULT)
        self.write("manifests/business.json", plane_object())
        self.executable("netplane")
        for key, value in SYSCTLS.items():
            self.sysctl(key, value)

    def write(self, name: str, content: JsonObject) -> Path:
        path = self.root / name
        path.write_text(json.dumps(content))
        return path

    def executable(self, name: str) -> None:
        (self.root / "bin" / name).touch(mode=0o755)

    def plane(self, name: str = "business", **spec: object) -> None:
        self.write(f"manifests/{name}.json", plane_object(name, **spec))

    def sysctl(self, key: str, value: str) -> None:
        inside(self.host.path, lambda: Path(f"/proc/sys/net/{key}").write_text(value))

    @property
    def argv(self) -> tuple[str, ...]:
        """The command line."""
        where = self.root
        return (
            *("doctor", "-o", "json", "--manifests", f"{where}/manifests"),
            *("--state-dir", f"{where}/state", "--socket", f"{where}/sock"),
            *("--cni-conf-dir", f"{where}/net.d", "--cni-bin-dir", f"{where}/bin"),
            *("--data-dirs", f"{where}/cni"),
        )

    def run(self) -> Outcome:
        return inside(self.host.path, lambda: netplane(*self.argv))

    def found(self) -> list[tuple[str, str, str]]:
        """Return check, severity and text of all that is found."""
        done = self.run()
        findings = done.json["findings"]
        assert done.status == (1 if any(f["severity"] == "error" for f in findings) else 0)
        told = [(one["check"], one["severity"], one["what"]) for one in findings]
        # The disk of a busy machine may really be slow.
        return [one for one in told if "a durable write of" not in one[2]]

    def one(self) -> tuple[str, str, str]:
        """Return check, severity and text of the only thing that is found."""
        (found,) = self.found()
        return found


@contextmanager
def doctored_node(root: Path) -> Iterator[DoctoredNode]:
    """Make a node for a while; a thread answers for the daemon."""
    with ExitStack() as stack:
        host = stack.enter_context(host_with_cards("eth0", "eth1"))
        host.ip("address", "add", "192.0.2.5/24", "dev", "eth0")
        host.ip("route", "add", "default", "via", "192.0.2.1")
        node = DoctoredNode(host, root)
        stack.enter_context(_answering(root / "sock"))
        yield node


@contextmanager
def _answering(path: Path) -> Iterator[None]:
    """Answer on a unix socket that the daemon is ready, as often as it is asked."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(8)
        stopped = threading.Event()

        def serve() -> None:
            while not stopped.is_set():
                with suppress(OSError), listener.accept()[0] as peer:
                    peer.recv(4096)
                    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            listener.shutdown(socket.SHUT_RDWR)  # ends `accept`
            thread.join()
