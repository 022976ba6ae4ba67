"""Interface names where the caller named none and a container has several networks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cni.planning.requested_interface import renumbered
from cni.plugins.attachment import PlannedAttachment
from planes.model.wire.netconf import parse_conflist

CONF = parse_conflist({"cniVersion": "1.0.0", "name": "n", "type": "x"}, what="n")
NAMES = st.sampled_from(["eth0", "san0", *(f"net{number}" for number in range(1, 6))])


def planned(*names: str) -> list[PlannedAttachment]:
    return [PlannedAttachment("n", CONF, name) for name in names]


def names(*given: str, movable: str = "", taken: str = "") -> list[str]:
    found = renumbered(planned(*given), frozenset(movable.split()), frozenset(taken.split()))
    return [one.ifname for one in found]


def test_free_names_stay() -> None:
    assert names("eth0", "net2", movable="net2", taken="lo net1") == ["eth0", "net2"]


def test_a_taken_name_becomes_the_next_free_number() -> None:
    assert names("eth1", "net1", movable="net1", taken="lo eth0 net1 net3") == ["eth1", "net2"]
    assert names("net1", "net2", movable="net1 net2", taken="net1") == ["net2", "net3"]


def test_a_chosen_name_stays_for_the_plan_to_refuse() -> None:
    assert names("san0", taken="san0") == ["san0"]


@given(st.lists(NAMES, max_size=5, unique=True), st.frozensets(NAMES), st.frozensets(NAMES))
def test_unchosen_names_are_unique_and_free(
    given: list[str], movable: frozenset[str], taken: frozenset[str]
) -> None:
    found = [one.ifname for one in renumbered(planned(*given), movable, taken)]
    moved = [name for name, old in zip(found, given, strict=True) if old in movable]
    assert not set(moved) & taken
    assert len(set(found)) == len(given)
