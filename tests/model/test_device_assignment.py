"""Devices of a pod and its networks: one each, of the NAD's own resource, none twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.model.decide.device_assignment import (
    Demand,
    assign_devices,
    device_key,
    devices_of_claims,
    is_usable_id,
    no_device_left,
)
from planes.model.errors import BadInput, Unavailable
from planes.model.state.claimed_devices import AllocatedDevice, ClaimedDevice, PoolName

VF, GPU = "example.com/vfs", "example.com/gpus"
NAMES = st.sampled_from(["a", "b", "0000:03:02.1", "0000:03:02.2"])
RESOURCES = st.sampled_from([VF, GPU, "example.com/other"])


def claimed(resource: str, device_id: str, *, mapped: str = "") -> ClaimedDevice:
    pool = PoolName("nic.example.com", "node-a")
    return ClaimedDevice(AllocatedDevice("nics", pool, "vf1", mapped), resource, device_id)


def test_networks_of_one_resource_get_a_device_each_in_order() -> None:
    demands = [Demand(VF), Demand(GPU), Demand(VF), Demand(VF)]
    given_devices = {VF: ("a", "b"), GPU: ("g",)}
    assert assign_devices(demands, given_devices, ()) == ("a", "g", "b", "")


def test_a_pci_address_is_one_device_under_two_resources() -> None:
    demands = [Demand(VF), Demand(GPU)]
    both = {VF: ("0000:AB:02.1",), GPU: ("0000:ab:02.1",)}
    assert assign_devices(demands, both, ()) == ("0000:AB:02.1", "")
    assert assign_devices(demands, {VF: ("0",), GPU: ("0",)}, ()) == ("0", "0")


@given(
    demands=st.lists(RESOURCES, max_size=5),
    devices=st.dictionaries(RESOURCES, st.lists(NAMES, unique=True, max_size=3)),
    held=st.sets(st.tuples(RESOURCES, NAMES), max_size=3),
)
def test_whatever_is_asked_no_device_is_anothers_or_given_twice(
    demands: list[str], devices: dict[str, list[str]], held: set[tuple[str, str]]
) -> None:
    keys = {device_key(*one) for one in held}
    assigned = assign_devices([Demand(one) for one in demands], devices, keys)
    taken = [(r, d) for r, d in zip(demands, assigned, strict=True) if d]
    assert all(device in devices[resource] for resource, device in taken)
    used = [device_key(*one) for one in taken]
    assert len(set(used)) == len(used)
    assert not keys & set(used)


@pytest.mark.parametrize("device", ["", "a b", "a\n", "../x", "a/../b", "ä", "x" * 254, "\0"])
def test_an_id_that_no_device_can_have_is_not_usable(device: str) -> None:
    assert not is_usable_id(device)


@pytest.mark.parametrize("device", ["0000:03:02.1", "eth7", "vdpa:mgmt/0", "x" * 253])
def test_an_id_of_a_device_is_usable(device: str) -> None:
    assert is_usable_id(device)


def test_devices_of_claims_count_by_their_attribute() -> None:
    gpu = claimed("", "")
    assert devices_of_claims([gpu, claimed(VF, "a"), claimed(GPU, "g")], {VF}) == {VF: ["a"]}


def test_a_device_without_id_is_refused_naming_device_and_attribute() -> None:
    with pytest.raises(BadInput) as caught:
        devices_of_claims([claimed(VF, "")], {VF})
    assert '"vf1"' in caught.value.message
    assert "k8s.cni.cncf.io/deviceID is missing" in caught.value.message


@pytest.mark.parametrize(("resource", "has"), [(GPU, f'is "{GPU}"'), ("", "is missing")])
def test_a_device_of_another_resource_than_requested_is_refused_with_both_names(
    resource: str, has: str
) -> None:
    with pytest.raises(BadInput) as caught:
        devices_of_claims([claimed(resource, "a", mapped=VF)], {VF})
    assert f'for resource "{VF}"' in caught.value.message
    assert caught.value.message.endswith(f"k8s.cni.cncf.io/resourceName {has}")


def test_no_device_at_all_names_resource_type_and_what_the_claims_have() -> None:
    error = no_device_left(Demand(VF, "sriov"), {}, [claimed(GPU, "g"), claimed("", "x")])
    assert f'of resource "{VF}" for type "sriov": none was allocated' in error.message
    assert f'of resource "{GPU}"' in error.message
    assert "without attribute k8s.cni.cncf.io/resourceName" in error.message
    assert "resources.limits" in error.remedy


def test_too_few_devices_are_counted_and_a_holder_is_named() -> None:
    few = no_device_left(Demand(VF, "sriov"), {VF: ["a"]}, ())
    assert "the pod has 1 of it" in few.message
    held = no_device_left(Demand(VF, "sriov"), {VF: ["a"]}, (), '"a" is in use by net1')
    assert isinstance(held, Unavailable)
    assert "is in use by net1" in held.message
