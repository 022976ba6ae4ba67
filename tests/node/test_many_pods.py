"""Twenty pods at once, as a node sees them after a reboot or a rollout."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence

import pytest

from planes.model.names import STATIC_IPS_ANNOTATION
from tests.support.node.netns import Namespace
from tests.support.node.node import LiveNode, addresses_in, end_call, eventually

pytestmark = pytest.mark.kernel

COUNT = 20
Sandboxes = Callable[[int], list[Namespace]]


@pytest.fixture
def twenty(node: LiveNode, sandboxes: Sandboxes) -> list[Namespace]:
    """Sandboxes of the pods twenty0, twenty1, …, which exist."""
    for number in range(COUNT):
        node.put_pod(f"twenty{number}")
    return sandboxes(COUNT)


def test_each_gets_its_planes_and_no_address_twice(node: LiveNode, twenty: list[Namespace]) -> None:
    added = _all(node, "ADD", twenty)
    assert [status for status, _ in added] == [0] * COUNT, added
    found = [addresses_in(sandbox) for sandbox in twenty]
    assert all(one.keys() == {"eth0", "net1", "san0"} for one in found)
    for ifname in ("eth0", "net1", "san0"):
        assert len({one[ifname][0] for one in found}) == COUNT
    told = [node.status_of(f"twenty{number}") for number in range(COUNT)]
    assert [
        {status["interface"]: status["ips"] for status in one if status.get("interface")}
        for one in told
    ] == [
        {name: [ip.partition("/")[0] for ip in ips] for name, ips in one.items()} for one in found
    ]
    assert [status for status, _ in _all(node, "DEL", twenty)] == [0] * COUNT
    assert node.remains() == []
    assert all(addresses_in(sandbox) == {} for sandbox in twenty)


def test_each_attachment_is_told_as_an_event(node: LiveNode, twenty: list[Namespace]) -> None:
    before = len(node.events())
    _all(node, "ADD", twenty)

    def added() -> set[tuple[str, str]]:
        return {
            (event["involvedObject"]["name"], event["message"].split()[1])
            for event in node.events()[before:]
            if event["reason"] == "AddedInterface"
        }

    names = ("eth0", "net1", "san0")
    eventually(lambda: added() >= {(f"twenty{n}", name) for n in range(COUNT) for name in names})
    _all(node, "DEL", twenty)


def test_adds_and_dels_of_different_pods_cross(node: LiveNode, twenty: list[Namespace]) -> None:
    half = COUNT // 2
    _all(node, "ADD", twenty[:half])
    calls = [_begin(node, "DEL", n, twenty[n]) for n in range(half)]
    calls += [_begin(node, "ADD", n, twenty[n]) for n in range(half, COUNT)]
    assert [end_call(call)[0] for call in calls] == [0] * COUNT
    assert all(addresses_in(sandbox) == {} for sandbox in twenty[:half])
    assert all(len(addresses_in(sandbox)) == 3 for sandbox in twenty[half:])
    _all(node, "DEL", twenty)


def test_of_pods_that_want_one_address_exactly_one_gets_it(
    node: LiveNode, sandboxes: Sandboxes
) -> None:
    static = {STATIC_IPS_ANNOTATION: '{"business": ["192.168.100.9"]}'}
    rivals = sandboxes(8)
    for number in range(len(rivals)):
        node.put_pod(f"rival{number}", static)
    calls = [_begin(node, "ADD", n, one, "rival") for n, one in enumerate(rivals)]
    outcomes = [end_call(call) for call in calls]
    winners = [n for n, (status, _) in enumerate(outcomes) if status == 0]
    assert len(winners) == 1
    assert addresses_in(rivals[winners[0]])["net1"] == ["192.168.100.9/16"]
    for number, (status, stdout) in enumerate(outcomes):
        if status:
            assert json.loads(stdout)["code"] == 111
            assert f"shop/rival{winners[0]}" in json.loads(stdout)["msg"]
            assert addresses_in(rivals[number]) == {}
    for number, sandbox in enumerate(rivals):
        assert end_call(_begin(node, "DEL", number, sandbox, "rival"))[0] == 0


def test_pods_that_share_a_list_of_addresses_get_one_each(
    node: LiveNode, sandboxes: Sandboxes
) -> None:
    static = {STATIC_IPS_ANNOTATION: '{"business": ["192.168.100.20-192.168.100.22"]}'}
    made = sandboxes(3)
    for number in range(3):
        node.put_pod(f"listed{number}", static)
    calls = [_begin(node, "ADD", n, one, "listed") for n, one in enumerate(made)]
    assert [end_call(call)[0] for call in calls] == [0] * 3
    assert {addresses_in(one)["net1"][0] for one in made} == {
        f"192.168.100.{last}/16" for last in (20, 21, 22)
    }
    for number, sandbox in enumerate(made):
        end_call(_begin(node, "DEL", number, sandbox, "listed"))


def test_one_sandbox_at_once_from_many_callers_is_attached_once(
    node: LiveNode, sandbox: Namespace
) -> None:
    node.put_pod("many0")
    calls = [_begin(node, "ADD", 0, sandbox, "many") for _ in range(6)]
    statuses = [end_call(call)[0] for call in calls]
    assert statuses.count(0) == 1
    assert addresses_in(sandbox).keys() == {"eth0", "net1", "san0"}
    end_call(_begin(node, "DEL", 0, sandbox, "many"))


def _all(node: LiveNode, verb: str, twenty: Sequence[Namespace]) -> list[tuple[int, bytes]]:
    """Call for all of them at once."""
    calls = [_begin(node, verb, number, sandbox) for number, sandbox in enumerate(twenty)]
    return [end_call(call) for call in calls]


def _begin(
    node: LiveNode, verb: str, number: int, sandbox: Namespace, name: str = "twenty"
) -> subprocess.Popen[bytes]:
    pod = f"{name}{number}"
    return node.begin_call(node.env(verb, f"c-{pod}", sandbox, pod=pod))
