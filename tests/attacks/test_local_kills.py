"""The daemon is killed at the worst moment: it restarts at once, and nothing is left."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.attacks.kills import storm
from tests.cni.scene import NOTHING, leftovers, pod_object, set_up
from tests.support.cni import hanging_plugins
from tests.support.node.daemon import CniError, DiedError, Place
from tests.support.node.netns import CNI_BIN_DIR, Node, namespace, why_no_link_kind

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(300)]

SOON = 15.0  # an answer of its own, not the 90 s of a plugin that hangs


def _nad(act: str) -> dict[str, object]:
    conf = {"cniVersion": "1.0.0", "type": hanging_plugins.KIND, "act": act}
    return {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": act, "namespace": "shop"},
        "spec": {"config": json.dumps(conf)},
    }


def _start(daemon: Place) -> float:
    began = time.monotonic()
    daemon.start("--cni-bin-dir", f"{daemon.directory}/bin:{CNI_BIN_DIR}")
    return time.monotonic() - began


def _end(container: str) -> None:
    """End the plugins that hang for a container, and nothing else."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if f"CNI_CONTAINERID={container}".encode() in (entry / "environ").read_bytes():
                    os.kill(int(entry.name), signal.SIGKILL)


@contextmanager
def _cut_off(daemon: Place, here: Node, act: str) -> Iterator[str]:
    """Kill a daemon while an ADD's plugin hangs, and its undo would hang too."""
    set_up(daemon)
    hanging_plugins.install(daemon.directory)
    daemon.manifest("moods", _nad(act), pod_object(act, act))
    _start(daemon)
    container = f"kt{os.getpid()}-{act}"

    def attach() -> None:
        with suppress(CniError, DiedError, OSError):
            daemon.call("ADD", here.sandbox.path, container=container, pod=f"shop/{act}")

    caller = threading.Thread(target=attach)
    caller.start()
    deadline = time.monotonic() + 20
    while not _runs(container) and time.monotonic() < deadline:
        time.sleep(0.02)
    daemon.kill()
    caller.join()
    _end(container)
    try:
        yield container
    finally:
        _end(container)


def _runs(container: str) -> bool:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if f"CNI_CONTAINERID={container}".encode() in (entry / "environ").read_bytes():
                    return True
    return False


def test_local_kill_while_a_plugin_hangs_keeps_no_other_sandbox_waiting(
    daemon: Place, here: Node
) -> None:
    """The undo of what was cut off hangs: others are served, and so is its own DEL at last."""
    with _cut_off(daemon, here, "hang-both") as container, namespace("other") as other:
        assert _start(daemon) < SOON
        began = time.monotonic()
        daemon.call("ADD", other.path, container="innocent", pod="shop/web")
        daemon.call("DEL", other.path, container="innocent", pod="shop/web")
        assert time.monotonic() - began < SOON
        (daemon.directory / "leases" / "let-go").touch()
        _end(container)
        daemon.call("DEL", here.sandbox.path, container=container, pod="shop/hang-both")
        assert leftovers(daemon, here) == NOTHING


def test_local_kills_at_random_moments_leave_nothing() -> None:
    """Sixty callers at once, plugins that hang and fail among theirs; `make attacks` has more."""
    reason = why_no_link_kind("macvlan")
    if reason:
        pytest.skip(reason)
    with storm(seed=9) as made:
        outcome = made.kill_repeatedly(25)
    assert (outcome.left, outcome.wedged) == ([], [])
    assert max(outcome.sockets) < SOON
