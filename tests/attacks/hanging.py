"""A node on which a tenant's plugins hang, and an innocent pod comes and goes.

Namespace `evil` has NADs of its own whose types are binaries that never end; namespace `shop` has
a NAD whose plugin is a binary that works. Both get the same default network.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.node.daemon import CniError, DiedError, Place, place
from tests.support.node.netns import CNI_BIN_DIR, Namespace, Node, namespace, node
from tests.support.node.scripts import HANGING, RESULT, write_plugin

JsonObject = dict[str, Any]
_SCRIPTS = {
    "hang": HANGING,
    "works": RESULT,
    "late": f"case $CNI_COMMAND in DEL) {HANGING};; esac\n{RESULT}",
    "hoard": f"case $CNI_COMMAND in GC) {HANGING};; esac\n{RESULT}",
}


@dataclass
class AttackedNode:
    """The node, its daemon's place, and the tenant's calls.

    Attributes:
        plugins: the directory of the scripts.
    """

    node: Node
    place: Place
    plugins: Path
    threads: list[threading.Thread] = field(default_factory=list)
    errors: list[CniError] = field(default_factory=list)

    def start(self, *flags: str) -> None:
        """Start the daemon."""
        directories = f"{self.plugins}:{CNI_BIN_DIR}"
        self.place.start("--cni-bin-dir", directories, "--log-level", "warning", *flags)

    def running(self, kind: str = "hang") -> int:
        """Count the processes of a script; those of the test's own directory only."""
        return len(processes(str(self.plugins / kind)))

    def attack(self, sandboxes: Sequence[Namespace], verb: str = "ADD", pod: str = "hang") -> None:
        """Have the tenant's pods attached (or detached), all at once; nobody waits for it."""
        for number, sandbox in enumerate(sandboxes):
            thread = threading.Thread(
                target=self._call, args=(verb, sandbox, f"evil{number}", f"evil/{pod}"), daemon=True
            )
            thread.start()
            self.threads.append(thread)

    def _call(self, verb: str, sandbox: Namespace, container: str, pod: str) -> None:
        try:
            self.place.call(verb, sandbox.path, container=container, pod=pod)
        except CniError as error:
            self.errors.append(error)
        except (DiedError, OSError):
            pass

    def until_hanging(self, count: int, kind: str = "hang", seconds: float = 20) -> None:
        """Wait until so many scripts of a kind run.

        Raises:
            AssertionError: they do not.
        """
        deadline = time.monotonic() + seconds
        while self.running(kind) < count:
            assert time.monotonic() < deadline, f"{self.running(kind)} hang\n{self.place.log}"
            time.sleep(0.05)

    def visit(self, container: str, pod: str = "shop/works") -> tuple[float, float]:
        """Attach and detach an innocent pod; return seconds of its ADD and DEL."""
        begun = time.monotonic()
        self.place.call("ADD", self.node.sandbox.path, container=container, pod=pod)
        added = time.monotonic()
        self.place.call("DEL", self.node.sandbox.path, container=container, pod=pod)
        return added - begun, time.monotonic() - added


def processes(path: str) -> list[int]:
    """Return the processes whose command line names a path, and what they became by exec."""
    found = []
    for proc in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            environ = (proc / "environ").read_bytes().split(b"\0")
            if f"PLUGIN={path}".encode() in environ:
                found.append(int(proc.name))
    return found


def _script(path: Path, text: str) -> str:
    return f"export PLUGIN={path}\n{text}"


def _nad(name: str, of: str, kind: str, **more: Any) -> JsonObject:
    conf = {"name": name, "type": kind, "cniVersion": "1.0.0", **more}
    return {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": name, "namespace": of},
        "spec": {"config": json.dumps(conf)},
    }


def _pod(name: str, of: str, networks: str = "") -> JsonObject:
    annotations = {"k8s.v1.cni.cncf.io/networks": networks} if networks else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": of, "annotations": annotations},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }


def _locked(directory: Path) -> JsonObject:
    files = str(directory / "host-local")
    return {"type": "host-local", "dataDir": files, "subnet": "10.66.0.0/16"}


def _cluster(directory: Path) -> JsonObject:
    ipam = {
        "type": "host-local",
        "dataDir": str(directory / "host-local"),
        "ranges": [[{"subnet": "10.244.0.0/16"}]],
    }
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipam": ipam}
    return {"cniVersion": "1.0.0", "name": "cluster", "plugins": [bridge]}


@contextmanager
def attacked_node(directory: Path) -> Iterator[AttackedNode]:
    """Make the node for a while; the daemon is not started yet."""
    with node() as here, place(directory, here.host) as where:
        plugins = directory / "plugins"
        made = AttackedNode(here, where, plugins)
        where.default_network(_cluster(directory))
        for kind, text in _SCRIPTS.items():
            write_plugin(plugins, kind, _script(plugins / kind, text))
        namespaces = [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            for name in ("evil", "shop")
        ]
        where.manifest(
            "all",
            *namespaces,
            _nad("hang", "evil", "hang"),
            _nad("late", "evil", "late"),
            _nad("works", "shop", "works"),
            _nad("locked", "evil", "bridge", bridge="br-evil", ipam=_locked(directory)),
            _pod("locked", "evil", "locked"),
            _nad("hoard", "evil", "hoard", cniVersion="1.1.0"),
            _pod("hang", "evil", "hang"),
            _pod("hoard", "evil", "hoard"),
            _pod("late", "evil", "late"),
            _pod("works", "shop", "works"),
            _pod("plain", "shop"),
        )
        try:
            yield made
        finally:
            _end(made)


def _end(made: AttackedNode) -> None:
    process = made.place.process
    if process is not None and process.poll() is None:
        process.kill()
        process.wait(30)
    for thread in made.threads:
        thread.join(10)
    for path in made.plugins.iterdir():
        for pid in processes(str(path)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextmanager
def sandboxes(count: int) -> Iterator[list[Namespace]]:
    """Make sandboxes for the tenant's pods, for a while."""
    with ExitStack() as stack:
        yield [stack.enter_context(namespace("pod")) for _ in range(count)]
