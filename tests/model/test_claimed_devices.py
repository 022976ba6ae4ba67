"""Devices of resource claims: which count for a pod, and what their slices say of them."""

from __future__ import annotations

import pytest

from planes.model.errors import BadInput, Denied, JsonObject, Unavailable
from planes.model.state.claimed_devices import (
    MOST_CLAIMS,
    ClaimedDevice,
    ClaimUse,
    PublishedDevices,
    allocated_devices,
    claims_of_status,
)
from tests.support.kube.claims import (
    attributes,
    claim_object,
    claim_status,
    extended_status,
    result,
    slice_object,
)

VF = "example.com/vfs"
UID = "u1"


def found(claim: JsonObject, *slices: JsonObject, use: ClaimUse) -> tuple[ClaimedDevice, ...]:
    allocated = list(allocated_devices(claim, use, UID))
    published = PublishedDevices.of(allocated)
    for each in slices:
        published.add(each)
    return published.claimed(allocated)


def ids(*devices: ClaimedDevice) -> list[tuple[str, str]]:
    return [(one.resource, one.device_id) for one in devices]


def test_a_pod_without_claims_uses_none() -> None:
    assert claims_of_status({}) == claims_of_status({"status": {"phase": "Pending"}}) == ()


def test_the_status_names_claims_in_order_and_one_without_a_claim_is_left_out() -> None:
    status = claim_status("a", "b")
    status["resourceClaimStatuses"].append({"name": "optional"})
    assert [use.name for use in claims_of_status({"status": status})] == ["a", "b"]


def test_more_claims_than_the_bound_are_refused() -> None:
    status = claim_status(*map(str, range(MOST_CLAIMS + 1)))
    with pytest.raises(BadInput, match="more than 64 resource claims"):
        claims_of_status({"status": status})


def test_a_device_has_the_attributes_of_its_slice() -> None:
    claim = claim_object("a", result("vf1"), result("vf2"), uid=UID)
    first = slice_object("s1", {"vf2": attributes(VF, "0000:03:02.2")})
    second = slice_object("s2", {"vf1": attributes(VF, "0000:03:02.1"), "vf3": {}})
    assert ids(*found(claim, first, second, use=ClaimUse("a"))) == [
        (VF, "0000:03:02.1"),
        (VF, "0000:03:02.2"),
    ]


def test_a_missing_attribute_and_one_of_another_type_are_empty() -> None:
    claim = claim_object("a", result("vf1"), uid=UID)
    odd = slice_object("s", {"vf1": {"k8s.cni.cncf.io/deviceID": {"int": 5}}})
    assert ids(*found(claim, odd, use=ClaimUse("a"))) == [("", "")]


def test_slices_of_an_older_generation_do_not_count_in_any_order() -> None:
    claim = claim_object("a", result("vf1"), uid=UID)
    old = slice_object("s1", {"vf1": attributes(VF, "old")}, generation=1)
    new = slice_object("s2", {"vf1": attributes(VF, "new")}, generation=2)
    for slices in ([old, new], [new, old]):
        assert ids(*found(claim, *slices, use=ClaimUse("a"))) == [(VF, "new")]


def test_a_device_of_the_same_name_in_another_pool_or_driver_is_another_one() -> None:
    claim = claim_object("a", result("vf1"), uid=UID)
    others = (
        slice_object("s1", {"vf1": attributes(VF, "x")}, pool="other"),
        slice_object("s2", {"vf1": attributes(VF, "x")}, driver="other.example.com"),
    )
    with pytest.raises(Unavailable, match='cannot find device "vf1" of claim "a"'):
        found(claim, *others, use=ClaimUse("a"))


def test_a_claim_that_is_reserved_for_another_pod_gives_no_device() -> None:
    claim = claim_object("a", result("vf1"), uid="another")
    with pytest.raises(Denied, match='"a": it is not reserved for the pod'):
        list(allocated_devices(claim, ClaimUse("a"), UID))
    claim["status"]["reservedFor"] = [{"resource": "jobs", "name": "web", "uid": UID}]
    with pytest.raises(Denied):
        list(allocated_devices(claim, ClaimUse("a"), UID))


def test_a_claim_without_allocation_is_tried_again() -> None:
    claim = claim_object("a", uid=UID)
    del claim["status"]["allocation"]
    with pytest.raises(Unavailable, match="has no allocation"):
        list(allocated_devices(claim, ClaimUse("a"), UID))


def test_a_device_for_administrators_alone_is_left_out() -> None:
    claim = claim_object("a", result("vf1", adminAccess=True), result("vf2"), uid=UID)
    assert [one.device for one in allocated_devices(claim, ClaimUse("a"), UID)] == ["vf2"]


def test_of_extended_resources_the_mapped_requests_count() -> None:
    status = {"status": extended_status("x", r0=VF)}
    (use,) = claims_of_status(status)
    claim = claim_object("x", result("vf1", "r0"), result("gpu", "r1"), uid=UID)
    (one,) = allocated_devices(claim, use, UID)
    assert (one.device, one.mapped) == ("vf1", VF)
