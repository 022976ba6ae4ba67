"""An ADD of three attachments, killed at every step on a real node: nothing is left."""

from __future__ import annotations

import time

import pytest

from tests.cni.scene import NOTHING, leftovers, set_up
from tests.support.node.daemon import CniError, DiedError, Place
from tests.support.node.netns import Node

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(300)]


@pytest.mark.timeout(900)  # some sixty starts of the daemon
def test_after_restart_and_del_nothing_is_left_wherever_it_was_killed(
    daemon: Place, here: Node
) -> None:
    """Each life ends one step of ADD or DEL later than the one before, until one sees both."""
    set_up(daemon)
    steps = 0
    while not _survives(daemon, here, steps):
        steps += 1
    assert steps > 15, "the steps of the ADD were not seen"
    assert leftovers(daemon, here) == NOTHING


def _survives(daemon: Place, here: Node, steps: int) -> bool:
    """Clean up after the run before, which is not counted, then ADD and DEL."""
    daemon.start(
        "--log-level", "warning", module=("tests.support.node.interrupted", "kill", str(steps))
    )
    daemon.call("DEL", here.sandbox.path, container=f"c{steps - 1}", pod="shop/web")
    assert leftovers(daemon, here) == NOTHING, f"killed at step {steps - 1}\n{daemon.log}"
    try:
        for verb in ("ADD", "DEL"):
            daemon.call(verb, here.sandbox.path, container=f"c{steps}", pod="shop/web")
    except DiedError:
        assert daemon.process is not None
        daemon.process.wait(10)
        return False
    return True


def test_what_was_cut_off_is_undone_at_start_though_nobody_asks(daemon: Place, here: Node) -> None:
    """Behind the open socket: a plugin that hangs must keep no other sandbox waiting."""
    set_up(daemon)
    daemon.start(module=("tests.support.node.interrupted", "kill", "16"))
    with pytest.raises(DiedError):
        daemon.call("ADD", here.sandbox.path, pod="shop/web")
    assert daemon.process is not None
    daemon.process.wait(10)
    assert leftovers(daemon, here) != NOTHING
    daemon.start()
    deadline = time.monotonic() + 20
    while leftovers(daemon, here) != NOTHING and time.monotonic() < deadline:
        time.sleep(0.05)
    assert leftovers(daemon, here) == NOTHING


def test_a_whole_add_survives_a_kill(daemon: Place, here: Node) -> None:
    set_up(daemon)
    daemon.start()
    daemon.call("ADD", here.sandbox.path, pod="shop/web")
    daemon.kill()
    daemon.start()
    daemon.call("CHECK", here.sandbox.path, pod="shop/web")
    daemon.call("DEL", here.sandbox.path, pod="shop/web")
    assert leftovers(daemon, here) == NOTHING


@pytest.mark.parametrize("how", ["fail", "cancel"])
def test_an_add_that_ends_at_any_step_leaves_nothing_and_needs_no_del(
    daemon: Place, here: Node, how: str
) -> None:
    """One life: every ADD ends one step later than the one before."""
    set_up(daemon)
    daemon.start("--log-level", "error", module=("tests.support.node.interrupted", how, "0"))
    steps = 0
    while not _goes_through(daemon, here, how):
        assert leftovers(daemon, here) == NOTHING, f"{how} at step {steps}\n{daemon.log}"
        steps += 1
    assert steps > 15, "the steps of the ADD were not seen"


def _goes_through(daemon: Place, here: Node, how: str) -> bool:
    try:
        daemon.call("ADD", here.sandbox.path, pod="shop/web")
    except CniError:
        return False
    except DiedError:  # a call that is cancelled has nobody left to answer
        assert how == "cancel"
        assert daemon.process is not None
        assert daemon.process.poll() is None
        return False
    return True
