"""The daemon stops, is away and comes back: nothing leaks or hangs, and no plane is missing."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from planes.model.names import NETWORKS_ANNOTATION
from tests.node.manifests import nad_object
from tests.support.node.netns import CNI_BIN_DIR, Namespace
from tests.support.node.node import NAMESPACE, LiveNode, addresses_in, end_call, eventually

pytestmark = pytest.mark.kernel

Sandboxes = Callable[[int], list[Namespace]]
ALL = {"eth0", "net1", "san0"}
# Its DEL does not end while a file is there.
_STICKY = """\
#!/bin/sh
cat >/dev/null
[ "$CNI_COMMAND" = ADD ] && echo '{{"cniVersion": "1.0.0", "interfaces": []}}'
while [ "$CNI_COMMAND" = DEL ] && [ -e {hold} ]; do sleep 0.1; done
exit 0
"""


def test_a_del_while_the_daemon_is_away_succeeds_at_once(
    own_node: LiveNode, sandbox: Namespace
) -> None:
    _attached(own_node, sandbox)
    own_node.stop()
    deleted = own_node.call("DEL", "c1", sandbox, pod="web")
    assert (deleted.status, deleted.stdout) == (0, b"")
    assert deleted.seconds < 10  # it waits for the disk, but for no daemon
    own_node.start()


def test_a_del_while_the_daemon_was_away_is_carried_out_at_its_start(
    own_node: LiveNode, sandbox: Namespace
) -> None:
    _attached(own_node, sandbox)
    own_node.stop()
    own_node.call("DEL", "c1", sandbox, pod="web")
    assert addresses_in(sandbox).keys() == ALL
    own_node.start()  # its socket opens first, what was spooled is done behind it
    eventually(lambda: addresses_in(sandbox) == {})
    assert own_node.remains() == []


def test_dels_of_many_pods_that_are_gone_are_carried_out_at_start(
    own_node: LiveNode, sandboxes: Sandboxes
) -> None:
    own_node.start()
    made = sandboxes(10)
    for number, sandbox in enumerate(made):
        own_node.put_pod(f"web{number}")
        assert own_node.call("ADD", f"c{number}", sandbox, pod=f"web{number}").status == 0
    own_node.stop()
    for number, sandbox in enumerate(made):
        sandbox.ip("link", "del", "net1")  # as the end of the namespace does
        own_node.pods.remove("shop", f"web{number}")
        assert own_node.call("DEL", f"c{number}", "", pod=f"web{number}").status == 0
    own_node.start()
    assert own_node.remains() == []


@pytest.mark.timeout(90)
def test_a_spooled_del_whose_plugin_hangs_keeps_no_new_pod_waiting(
    own_node: LiveNode, sandboxes: Sandboxes
) -> None:
    stuck, new = sandboxes(2)
    hold = own_node.home / "hold"
    _add_plugin(own_node, "sticky", _STICKY.format(hold=hold))
    own_node.put(nad_object("sticky", NAMESPACE, {"cniVersion": "1.0.0", "type": "sticky"}))
    own_node.start()
    own_node.put_pod("old", {NETWORKS_ANNOTATION: "sticky"})
    assert own_node.call("ADD", "c1", stuck, pod="old").status == 0
    own_node.stop()
    assert own_node.call("DEL", "c1", stuck, pod="old").status == 0
    hold.touch()
    own_node.start()
    own_node.put_pod("new")
    assert own_node.call("ADD", "c2", new, pod="new").status == 0
    assert own_node.call("DEL", "c2", new, pod="new").status == 0
    assert len(own_node.remains(0)) > 0
    assert "takes long" in own_node.log_text()
    hold.unlink()
    eventually(lambda: own_node.remains(0) == [], seconds=30)


def test_an_add_without_a_daemon_fails_with_code_11_and_says_what_to_look_at(
    own_node: LiveNode, sandbox: Namespace
) -> None:
    reply = own_node.call("ADD", "c1", sandbox, pod="web")
    assert reply.error["code"] == 11
    assert str(own_node.socket) in reply.error["msg"]
    assert "netplane-cni runs" in reply.error["details"]
    assert 0.9 < reply.seconds < 5


def test_an_add_waits_for_a_daemon_that_comes(own_node: LiveNode, sandbox: Namespace) -> None:
    own_node.put_pod("web")
    waiting = _begin(own_node, "ADD", sandbox, NETPLANE_WAIT_SECONDS="20")
    time.sleep(0.3)
    own_node.start()
    assert end_call(waiting)[0] == 0
    assert addresses_in(sandbox).keys() == ALL
    own_node.call("DEL", "c1", sandbox, pod="web")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_keeps_pods_attached(
    own_node: LiveNode, sandbox: Namespace, number: signal.Signals
) -> None:
    _attached(own_node, sandbox)
    before = addresses_in(sandbox)
    own_node.stop(number)
    own_node.start()
    assert addresses_in(sandbox) == before
    assert own_node.call("CHECK", "c1", sandbox, pod="web").status == 0
    assert own_node.call("DEL", "c1", sandbox, pod="web").status == 0


def test_addresses_of_attached_pods_are_not_handed_out_after_a_restart(
    own_node: LiveNode, sandboxes: Sandboxes
) -> None:
    first, second = sandboxes(2)
    _attached(own_node, first)
    own_node.stop(signal.SIGKILL)
    own_node.start()
    own_node.put_pod("next")
    assert own_node.call("ADD", "c2", second, pod="next").status == 0
    for ifname in ALL:
        assert addresses_in(first)[ifname] != addresses_in(second)[ifname]
    own_node.call("DEL", "c1", first, pod="web")
    own_node.call("DEL", "c2", second, pod="next")


@pytest.mark.parametrize("delay", [0.0, 0.002, 0.005, 0.01, 0.05])
def test_a_stop_in_the_middle_of_adds_leaves_each_whole_or_nothing(
    own_node: LiveNode, sandboxes: Sandboxes, delay: float
) -> None:
    own_node.start()
    made = sandboxes(12)
    for number in range(len(made)):
        own_node.put_pod(f"web{number}")
    calls = [_begin(own_node, "ADD", one, n) for n, one in enumerate(made)]
    time.sleep(delay)
    assert own_node.stop() == 0
    outcomes = [end_call(call) for call in calls]
    statuses = [status for status, _ in outcomes]
    assert all(json.loads(stdout)["code"] == 11 for status, stdout in outcomes if status)
    for status, sandbox in zip(statuses, made, strict=True):
        assert addresses_in(sandbox).keys() == (set() if status else ALL)
    assert "Traceback" not in own_node.log_text()
    own_node.start()
    for number, (status, sandbox) in enumerate(zip(statuses, made, strict=True)):
        checked = own_node.call("CHECK", f"c{number}", sandbox, pod=f"web{number}")
        assert checked.status == (1 if status else 0)
        own_node.call("DEL", f"c{number}", sandbox, pod=f"web{number}")
    assert own_node.remains() == []


def test_a_stop_ends_the_daemon_soon(own_node: LiveNode) -> None:
    own_node.start()
    begun = time.monotonic()
    assert own_node.stop() == 0
    assert time.monotonic() - begun < 5
    assert not own_node.socket.exists()


def test_a_second_daemon_of_the_same_state_is_refused(own_node: LiveNode) -> None:
    own_node.start()
    first = own_node.process
    own_node.begin()
    second, own_node.process = own_node.process, first
    assert second is not None
    assert second.wait(20) == 1
    assert "another daemon uses it" in own_node.log_text().splitlines()[-1]
    assert own_node.call("VERSION", "").status == 0


def _add_plugin(node: LiveNode, name: str, text: str) -> None:
    """Have a plugin beside the reference ones."""
    directory = node.home / "bin"
    directory.mkdir()
    for plugin in Path(CNI_BIN_DIR).iterdir():
        (directory / plugin.name).symlink_to(plugin)
    (directory / name).write_text(text)
    (directory / name).chmod(0o755)
    node.options = (*node.options, "--cni-bin-dir", str(directory))


def _attached(node: LiveNode, sandbox: Namespace) -> None:
    node.start()
    node.put_pod("web")
    assert node.call("ADD", "c1", sandbox, pod="web").status == 0
    assert addresses_in(sandbox).keys() == ALL


def _begin(
    node: LiveNode, verb: str, sandbox: Namespace, number: int | None = None, **more: str
) -> subprocess.Popen[bytes]:
    pod, container = ("web", "c1") if number is None else (f"web{number}", f"c{number}")
    return node.begin_call(node.env(verb, container, sandbox, pod=pod, **more))
