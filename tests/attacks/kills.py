"""Many kill -9 at random moments: ADDs and DELs at once, plugins that hang and fail among them.

Sixty sandboxes of one node are attached and taken down by as many callers, as a runtime would:
what was attached, or may have been, gets DEL until one succeeds. The daemon is killed at a random
moment of that, again and again; then all sandboxes are taken down and nothing may be left.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cni.scene import leftovers, pod_object, set_up
from tests.support.cni import hanging_plugins
from tests.support.node.daemon import CniError, DiedError, Place, place
from tests.support.node.netns import CNI_BIN_DIR, Namespace, Node, namespace, node

SANDBOXES = 60
_PODS = ("web", "web", "web", "hang", "hang-del", "fail")
_LONGEST = 0.4  # an ADD of three networks takes some 50 ms, sixty of them a second
_CALM_EVERY = 100


@dataclass
class Outcome:
    """The result of many kills.

    Attributes:
        kills: how often the daemon was killed.
        sockets: seconds from each start to the first call it took.
        left: what was left when all was taken down.
        wedged: sandboxes that could not be taken down.
    """

    kills: int = 0
    sockets: list[float] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    wedged: list[str] = field(default_factory=list)


@dataclass
class _Sandbox:
    """A sandbox of the runtime, and the container that was attached last, or may have been."""

    namespace: Namespace
    pod: str = ""
    container: str = ""


@contextmanager
def storm(seed: int = 0) -> Iterator[Storm]:
    """Make a node with sixty sandboxes for a while; no plugin is left running."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="np-t-")))
        made = stack.enter_context(node())
        daemon = stack.enter_context(place(directory, made.host))
        sandboxes = [
            _Sandbox(stack.enter_context(namespace(f"s{number}"))) for number in range(SANDBOXES)
        ]
        stack.callback(_end_plugins, f"k{os.getpid()}-")
        yield Storm(daemon, made, sandboxes, seed)


class Storm:
    """One node whose daemon is killed again and again."""

    def __init__(self, daemon: Place, here: Node, sandboxes: list[_Sandbox], seed: int = 0) -> None:
        self._daemon = daemon
        self._node = here
        self._sandboxes = sandboxes
        self._random = random.Random(seed)  # noqa: S311 - it chooses moments, nothing else
        self._numbers = itertools.count(1)
        self._leases = hanging_plugins.install(daemon.directory)
        set_up(daemon)
        daemon.manifest("moods", *_pods_and_nads())

    def kill_repeatedly(self, kills: int) -> Outcome:
        """Kill the daemon so often; now and then take all down and see what is left."""
        outcome = Outcome()
        with ThreadPoolExecutor(SANDBOXES) as callers:
            while outcome.kills < kills:
                outcome.sockets.append(self._start())
                calls = [
                    callers.submit(self._call, sandbox)
                    for sandbox in self._random.sample(
                        self._sandboxes, self._random.randint(1, SANDBOXES)
                    )
                ]
                time.sleep(self._random.uniform(0, _LONGEST))
                self._daemon.kill()
                outcome.kills += 1
                for call in calls:
                    call.result()
                if outcome.kills % _CALM_EVERY == 0 or outcome.kills == kills:
                    self._detach_all(outcome, callers)
        return outcome

    def _start(self) -> float:
        began = time.monotonic()
        bin_dirs = f"{self._daemon.directory}/bin:{CNI_BIN_DIR}"
        self._daemon.start("--log-level", "error", "--cni-bin-dir", bin_dirs)
        return time.monotonic() - began

    def _call(self, sandbox: _Sandbox) -> None:
        """Attach an empty sandbox, take a used one down."""
        if sandbox.container:
            self._take_down(sandbox)
            return
        sandbox.container = f"k{os.getpid()}-{next(self._numbers)}"
        sandbox.pod = self._random.choice(_PODS)
        with suppress(CniError, DiedError, OSError):
            self._daemon.call(
                "ADD",
                sandbox.namespace.path,
                container=sandbox.container,
                pod=f"shop/{sandbox.pod}",
            )

    def _take_down(self, sandbox: _Sandbox) -> None:
        with suppress(CniError, DiedError, OSError):
            self._daemon.call(
                "DEL",
                sandbox.namespace.path,
                container=sandbox.container,
                pod=f"shop/{sandbox.pod}",
            )
            sandbox.container = ""

    def _detach_all(self, outcome: Outcome, callers: ThreadPoolExecutor) -> None:
        """Let plugins work, take everything down, and look what is left; then let them hang."""
        _end_plugins(f"k{os.getpid()}-")
        let_go = self._leases / "let-go"
        let_go.touch()
        outcome.sockets.append(self._start())
        deadline = time.monotonic() + 60
        while (used := [s for s in self._sandboxes if s.container]) and (
            time.monotonic() < deadline
        ):
            list(callers.map(self._take_down, used))
        outcome.wedged += [sandbox.container for sandbox in used]
        while (left := self._left()) and time.monotonic() < deadline:
            time.sleep(0.1)
        outcome.left += left
        self._daemon.kill()
        let_go.unlink()

    def _left(self) -> list[str]:
        found = leftovers(self._daemon, self._node)
        lines = [f"{what}: {one}" for what, ones in found.items() for one in ones]
        lines += [
            f"{sandbox.namespace.name}: {link['ifname']}"
            for sandbox in self._sandboxes
            for link in sandbox.namespace.ip_json("link")
            if link["ifname"] != "lo"
        ]
        lines += [f"lease: {one.name}" for one in self._leases.iterdir() if one.name != "let-go"]
        return lines


def _pods_and_nads() -> list[dict[str, Any]]:
    made = []
    for act in ("hang", "hang-del", "fail"):
        conf = {"cniVersion": "1.0.0", "type": hanging_plugins.KIND, "act": act}
        made.append(
            {
                "apiVersion": "k8s.cni.cncf.io/v1",
                "kind": "NetworkAttachmentDefinition",
                "metadata": {"name": act, "namespace": "shop"},
                "spec": {"config": json.dumps(conf)},
            }
        )
        made.append(pod_object(act, f"store,{act}"))
    return made


def _end_plugins(prefix: str) -> None:
    """End what a killed daemon left running: plugins that hang, known by their container."""
    mark = f"CNI_CONTAINERID={prefix}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if mark in (entry / "environ").read_bytes():
                    os.kill(int(entry.name), signal.SIGKILL)
