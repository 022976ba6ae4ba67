"""What the status of a plane says of it, and that it says nothing new where nothing is new."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from planes.model.errors import Finding, JsonObject
from planes.model.names import STATUS_ANNOTATION
from planes.model.objects import NadRef, Pod
from planes.model.state.claims import Tally
from planes.model.state.plane_counts import AddressCounts, capacity
from planes.model.state.plane_status import NadState, Observed, newly_exhausted, status_of
from tests.support.model import claim_index, make_plane, pod_object

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
        "Available": "Unknown",
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


def counted(version: int = 4, dynamic: int = 5, total: int = 5, **more: int) -> Observed:
    return Observed(READY, counts={version: AddressCounts(version, dynamic, total, **more)})


def exhausted(status: JsonObject) -> tuple[str, str]:
    found = condition(status, "Exhausted")
    return found["status"], found["reason"]


def test_exhausted_when_all_unasked_addresses_are_in_use() -> None:
    full = status_of(make_plane(subnets=SMALL), counted(used=5), None, NOW)
    assert exhausted(full) == ("True", "NoAddressLeft")
    assert (full["capacity"], full["inUse"], full["available"]) == (5, 5, 0)


def test_static_addresses_in_use_exhaust_nothing() -> None:
    status = status_of(make_plane(subnets=SMALL), counted(total=9, static=4), None, NOW)
    assert exhausted(status) == ("False", "AddressesLeft")
    assert (status["inUse"], status["static"], status["available"]) == (4, 4, 5)


def test_exhausted_before_the_last_address_is_in_use_and_told_once() -> None:
    plane, seen = make_plane(), counted(dynamic=100, total=100, used=85, cooling=6)
    few = status_of(plane, seen, None, NOW)
    assert exhausted(few) == ("True", "FewAddressesLeft")
    text = "9 of the 100 IPv4 addresses that are handed out unasked are left: 85 are in use, and 6"
    assert newly_exhausted(None, few).startswith(text)
    assert newly_exhausted(few, few) == ""


def test_exhausted_does_not_end_with_the_first_address_that_comes_back() -> None:
    plane = make_plane()
    status: JsonObject = {}
    found = []
    for used in (90, 91, 90, 86, 85, 90, 91):
        status = status_of(plane, counted(dynamic=100, total=100, used=used), status, NOW)
        found.append(states(status)["Exhausted"] == "True")
    assert found == [False, True, True, True, False, False, True]


def test_of_two_families_the_one_with_fewest_left_is_counted() -> None:
    plane = make_plane(subnets=[*SMALL, {"cidr": "fd00::/64"}])
    status = status_of(plane, counted(used=2), None, NOW)
    assert (status["capacity"], status["inUse"]) == (5, 2)


def test_a_capacity_that_nobody_can_count_is_not_said() -> None:
    """9223372036854775807 was printed for a /64."""
    plane = make_plane(subnets=[{"cidr": "fd00::/64"}])
    status = status_of(plane, counted(6, 2**64, 2**64, used=3), None, NOW)
    assert ("capacity" in status, "available" in status, status["inUse"]) == (False, False, 3)
    smaller = make_plane(subnets=[{"cidr": "fd00::/80"}])
    assert status_of(smaller, Observed(READY), None, NOW)["capacity"] == 2**48 - 1


@pytest.mark.parametrize(
    "network",
    [
        {"type": "host-device", "master": "eth1"},
        {"type": "sriov", "resourceName": "vendor.example/vf"},
    ],
    ids=lambda network: str(network["type"]),
)
def test_where_each_pod_takes_a_device_addresses_are_no_capacity(network: JsonObject) -> None:
    """Each node has as many places as devices, which no plane says."""
    plane = make_plane(network=network, subnets=SMALL)
    status = status_of(plane, counted(used=2), None, NOW)
    assert ("capacity" in status, "available" in status, status["inUse"]) == (False, False, 2)


def test_where_another_ipam_hands_out_addresses_what_pods_show_is_counted() -> None:
    reference = {"nadRef": {"namespace": "infra", "name": "lan"}}
    plane = make_plane(network=reference, subnets=None, ipam={"mode": "NAD"})
    status = status_of(plane, Observed(READY, tallies={4: Tally(3, static=1)}), None, NOW)
    assert (status["inUse"], status["static"], "cooling" in status) == (3, 1, False)
    assert exhausted(status) == ("False", "NotCounted")


def test_the_nad_of_a_plane_is_named_rendered_or_referred_to() -> None:
    """The column NAD was empty for planes that have a type."""
    reference = {"nadRef": {"namespace": "infra", "name": "lan"}}
    referring = make_plane(network=reference, subnets=None, ipam={"mode": "NAD"})
    assert status_of(make_plane(), Observed(READY), None, NOW)["nad"] == "netplane-system/business"
    assert status_of(referring, Observed(READY), None, NOW)["nad"] == "infra/lan"


def pod(name: str, *addresses: str, networks: str | None = None) -> Pod:
    status = [{"name": "netplane-system/business", "interface": "net1", "ips": list(addresses)}]
    annotations = {STATUS_ANNOTATION: orjson.dumps(status).decode()}
    return Pod.from_object(pod_object(name, networks=networks, annotations=annotations))


def test_addresses_in_use_are_counted_by_family_and_forgotten_with_their_pods() -> None:
    ref = NadRef("netplane-system", "business")
    asked = orjson.dumps([{"name": ref.name, "namespace": ref.namespace, "ips": ["10.0.0.2/16"]}])
    index = claim_index(
        [pod("a", "10.0.0.1", "fd00::1"), pod("b", "10.0.0.2", networks=asked.decode())]
    )
    assert (index.tally(ref, 4, ["shop"]), index.tally(ref, 6, ["shop"])) == (Tally(2, 1), Tally(1))
    index = index.with_pod(pod("a", "10.0.0.9")).changed({"shop/b": None})
    assert (index.tally(ref, 4, ["shop"]), index.tally(ref, 6, ["shop"])) == (Tally(1), Tally())
