"""kill -9 at every step boundary of an ADD with three attachments: nothing survives it."""

from __future__ import annotations

import pytest

from tests.cni.scene import NOTHING, leftovers, set_up
from tests.support.daemon import DiedError, Place
from tests.support.netns import Node

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(300)]


def test_after_restart_and_del_nothing_is_left_wherever_it_was_killed(
    daemon: Place, here: Node
) -> None:
    """Each life ends one step of ADD or DEL later than the one before, until one sees both."""
    set_up(daemon)
    steps = 0
    while not _lives_through(daemon, here, steps):
        daemon.start("--log-level", "warning")
        daemon.call("DEL", here.sandbox.path, container=f"c{steps}", pod="shop/web")
        assert leftovers(daemon, here) == NOTHING, f"killed at step {steps}\n{daemon.log}"
        daemon.kill()
        steps += 1
    assert steps > 20, "the steps of the ADD were not seen"
    assert leftovers(daemon, here) == NOTHING


def _lives_through(daemon: Place, here: Node, steps: int) -> bool:
    daemon.start("--log-level", "warning", module=("tests.support.mortal", str(steps)))
    try:
        for verb in ("ADD", "DEL"):
            daemon.call(verb, here.sandbox.path, container=f"c{steps}", pod="shop/web")
    except DiedError:
        assert daemon.process is not None
        daemon.process.wait(10)
        return False
    return True


def test_what_was_cut_off_is_undone_at_start_before_anybody_asks(daemon: Place, here: Node) -> None:
    set_up(daemon)
    daemon.start(module=("tests.support.mortal", "25"))
    with pytest.raises(DiedError):
        daemon.call("ADD", here.sandbox.path, pod="shop/web")
    assert daemon.process is not None
    daemon.process.wait(10)
    assert leftovers(daemon, here) != NOTHING
    daemon.start()
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
