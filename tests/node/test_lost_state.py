"""The state directory is deleted under running pods: no address of theirs is handed out again."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.node.netns import Namespace, namespace
from tests.support.node.node import LiveNode, addresses_in

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]


@pytest.fixture
def sandboxes() -> Iterator[list[Namespace]]:
    with ExitStack() as stack:
        yield [stack.enter_context(namespace(f"p{number}")) for number in range(4)]


def add(node: LiveNode, number: int, sandbox: Namespace) -> str:
    """Attach a pod; return its address in the plane."""
    node.put_pod(f"web-{number}")
    assert node.call("ADD", f"c{number}", sandbox, pod=f"web-{number}").result
    (found,) = [
        address.partition("/")[0]
        for address in addresses_in(sandbox)["net1"]
        if address.startswith("192.168.")
    ]
    return found


def held(node: LiveNode) -> set[str]:
    directory = node.state / "addresses" / "business"
    return {path.name for path in directory.iterdir() if path.name.startswith("192.168.")}


def delete(node: LiveNode, number: int, sandbox: Namespace) -> None:
    assert node.call("DEL", f"c{number}", sandbox, pod=f"web-{number}").status == 0


@pytest.mark.parametrize("is_killed", [True, False])
def test_addresses_of_running_pods_stay_theirs(
    own_node: LiveNode, sandboxes: list[Namespace], *, is_killed: bool
) -> None:
    own_node.start()
    before = [add(own_node, number, sandboxes[number]) for number in (0, 1)]
    own_node.stop(signal.SIGKILL if is_killed else signal.SIGTERM)
    shutil.rmtree(own_node.state)
    own_node.start()
    after = [add(own_node, number, sandboxes[number]) for number in (2, 3)]
    assert set(before).isdisjoint(after)
    assert held(own_node) == {*before, *after}
    for number in (2, 3):
        delete(own_node, number, sandboxes[number])
    assert held(own_node) == set(before)
    own_node.stop()
    shutil.rmtree(own_node.home / "networks")
    shutil.rmtree(own_node.state)


def test_deleted_under_the_running_daemon_the_journal_says_whose_they_are(
    own_node: LiveNode, sandboxes: list[Namespace]
) -> None:
    own_node.start()
    before = [add(own_node, number, sandboxes[number]) for number in (0, 1)]
    shutil.rmtree(own_node.state / "addresses")
    after = add(own_node, 2, sandboxes[2])
    assert after not in before
    assert held(own_node) == {*before, after}
    for number in (0, 1, 2):
        delete(own_node, number, sandboxes[number])
    assert held(own_node) == set()


def test_a_daemon_whose_state_directory_is_deleted_ends_and_its_next_start_finds_all(
    own_node: LiveNode, sandboxes: list[Namespace]
) -> None:
    """It could record nothing any more: each pod that is started failed, until somebody noticed."""
    own_node.start()
    before = [add(own_node, number, sandboxes[number]) for number in (0, 1)]
    shutil.rmtree(own_node.state)
    assert own_node.process is not None
    assert own_node.process.wait(30) == 1
    assert "it was deleted or replaced while this daemon used it" in own_node.log_text()
    own_node.process = None
    own_node.start()
    after = add(own_node, 2, sandboxes[2])
    assert after not in before
    assert held(own_node) == {*before, after}
    delete(own_node, 2, sandboxes[2])
    own_node.stop()
    shutil.rmtree(own_node.home / "networks")
    shutil.rmtree(own_node.state)
