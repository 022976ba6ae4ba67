"""What the status of a plane says of it, and that it says nothing new where nothing is new."""

from __future__ import annotations

from typing import Any

import orjson

from planes.model.errors import Finding, JsonObject
from planes.model.names import STATUS_ANNOTATION
from planes.model.objects import NadRef, Pod
from planes.model.state.claim_index import ClaimIndex
from planes.model.state.claims import Tally
from planes.model.state.plane_status import NadState, Observed, capacity, status_of
from tests.support.model import make_plane, pod_object

READY = NadState(True, "Rendered", "there")
NOW, LATER = "2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z"
SMALL = [{"cidr": "10.0.0.0/29", "gateway": "10.0.0.1"}]


def condition(status: JsonObject, name: str) -> JsonObject:
    (found,) = [each for each in status["conditions"] if each["type"] == name]
    assert isinstance(found, dict)
    return found


def states(status: JsonObject) -> dict[str, str]:
    return {each["type"]: each["status"] for each in status["conditions"]}


def test_a_plane_in_force_says_so() -> None:
    status = status_of(make_plane(), Observed(READY), None, NOW)
    assert states(status) == {
        "Accepted": "True",
        "Overlapping": "False",
        "NADReady": "True",
        "Exhausted": "False",
        "BlocksIgnored": "False",
    }


def test_a_faulty_plane_lists_every_fault_and_no_counts() -> None:
    faults = [Finding("spec.a", "cannot a", "do b"), Finding("spec.c", "cannot c")]
    status = status_of(make_plane(), Observed(READY, faults=faults), None, NOW)
    message = condition(status, "Accepted")["message"]
    assert message.endswith("spec.a: cannot a; do b; spec.c: cannot c")
    assert states(status)["NADReady"] == "Unknown"
    assert "capacity" not in status


def test_the_same_observation_gives_the_same_status_later() -> None:
    before = status_of(make_plane(), Observed(READY, namespaces=3), None, NOW)
    assert status_of(make_plane(), Observed(READY, namespaces=3), before, LATER) == before


def test_a_condition_that_turns_tells_when() -> None:
    before = status_of(make_plane(), Observed(READY), None, NOW)
    after = status_of(make_plane(), Observed(NadState(False, "NameTaken", "x")), before, LATER)
    assert condition(after, "NADReady")["lastTransitionTime"] == LATER
    assert condition(after, "Accepted")["lastTransitionTime"] == NOW


def test_hostile_earlier_status_is_written_over() -> None:
    hostile: list[Any] = [[], {"conditions": "x"}, {"conditions": [{"type": 3}, None]}]
    for before in hostile:
        assert status_of(make_plane(), Observed(READY), before, NOW)["conditions"]


def test_a_long_list_of_faults_fits_into_a_condition() -> None:
    faults = [Finding(f"spec.{'x' * 100}", "cannot") for _ in range(500)]
    status = status_of(make_plane(), Observed(READY, faults=faults), None, NOW)
    assert len(condition(status, "Accepted")["message"]) <= 32768


def test_capacity_counts_what_pods_get_and_what_they_may_ask_for() -> None:
    """Of 8 addresses: network, broadcast and gateway never; 2 by request alone."""
    static = [{**SMALL[0], "staticRanges": ["10.0.0.5-10.0.0.6"]}]
    assert capacity(make_plane(subnets=SMALL), 4) == 5
    assert capacity(make_plane(subnets=static), 4) == 5
    assert capacity(make_plane(subnets=static, staticIPs={"allow": "Never"}), 4) == 3
    reserved = {
        "allow": "Reserved",
        "reservations": [{"ip": "10.0.0.6", "namespace": "shop"}],
    }
    assert capacity(make_plane(subnets=static, staticIPs=reserved), 4) == 4


def test_exhausted_when_all_unasked_addresses_are_attached() -> None:
    plane = make_plane(subnets=SMALL)
    full = status_of(plane, Observed(READY, tallies={4: Tally(5)}), None, NOW)
    static = status_of(plane, Observed(READY, tallies={4: Tally(5, static=1)}), None, NOW)
    assert (states(full)["Exhausted"], states(static)["Exhausted"]) == ("True", "False")
    assert (full["capacity"], full["inUse"], static["static"]) == (5, 5, 1)


def test_of_two_families_the_one_with_fewest_left_is_counted() -> None:
    plane = make_plane(subnets=[*SMALL, {"cidr": "fd00::/64"}])
    tallies = {4: Tally(2), 6: Tally(2)}
    status = status_of(plane, Observed(READY, tallies=tallies), None, NOW)
    assert (status["capacity"], status["inUse"]) == (5, 2)


def test_a_huge_family_is_the_largest_number_there_is() -> None:
    plane = make_plane(subnets=[{"cidr": "fd00::/64"}])
    assert status_of(plane, Observed(READY), None, NOW)["capacity"] == 2**63 - 1


def pod(name: str, *addresses: str, networks: str | None = None) -> Pod:
    status = [{"name": "netplane-system/business", "interface": "net1", "ips": list(addresses)}]
    annotations = {STATUS_ANNOTATION: orjson.dumps(status).decode()}
    return Pod.from_object(pod_object(name, networks=networks, annotations=annotations))


def test_addresses_in_use_are_counted_by_family_and_forgotten_with_their_pods() -> None:
    ref = NadRef("netplane-system", "business")
    asked = orjson.dumps([{"name": ref.name, "namespace": ref.namespace, "ips": ["10.0.0.2/16"]}])
    index = ClaimIndex.of(
        [pod("a", "10.0.0.1", "fd00::1"), pod("b", "10.0.0.2", networks=asked.decode())]
    )
    assert (index.tally(ref, 4, ["shop"]), index.tally(ref, 6, ["shop"])) == (Tally(2, 1), Tally(1))
    index = index.with_pod(pod("a", "10.0.0.9")).without_pod("shop/b")
    assert (index.tally(ref, 4, ["shop"]), index.tally(ref, 6, ["shop"])) == (Tally(1), Tally())
