"""IPAMClaims: what is read of one, whom it serves, which addresses it has, when it needs none."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from planes.model.errors import BadInput, Conflict, Denied
from planes.model.spec.ipam_claim import (
    CANDIDATES,
    ClaimKey,
    check_ipam_claim,
    free_for_claims,
    is_over,
    kept_addresses,
    read_claim_key,
    read_ipam_claim,
)
from tests.support.planes import make_plane

A, B = ip_address("10.9.0.200"), ip_address("10.9.0.201")
SUBNETS = [
    {"cidr": "10.9.0.0/24", "gateway": "10.9.0.201", "staticRanges": ["10.9.0.200-10.9.0.250"]},
]
PLANE = make_plane(
    subnets=SUBNETS,
    ipam={"lifecycle": "Persistent"},
    staticIPs={"reservations": [{"ip": "10.9.0.203", "namespace": "other"}]},
)


def claim_object(
    name: str = "vm.net", uid: str = "u1", *, status: Any = None, **spec: Any
) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "ns", "name": name, "uid": uid},
        "spec": {"network": PLANE.name, "interface": "net1", **spec},
        **({} if status is None else {"status": status}),
    }


def test_a_claim_is_read_with_the_addresses_of_its_status() -> None:
    """Prefix lengths are left out: the plane's subnets have them."""
    claim = read_ipam_claim(claim_object(status={"ips": ["10.9.0.200/24"], "ownerPod": "p"}))
    assert (claim.key, claim.ips, claim.owner_pod) == (ClaimKey("ns", "vm.net", "u1"), (A,), "p")


@pytest.mark.parametrize(
    "ips", ["10.9.0.200/24", ["10.9.0.200"], ["x"], [{}], ["10.9.0.1/24", "10.9.0.2/24"], ["a"] * 9]
)
def test_a_status_of_something_else_is_refused(ips: Any) -> None:
    """It is not guessed what it may mean."""
    with pytest.raises(BadInput, match=r"status\.ips is not one address of each family"):
        read_ipam_claim(claim_object(status={"ips": ips}))


@pytest.mark.parametrize("text", ["", "ns/vm", "ns/vm/u/x", "Ns/vm/u", "ns/vm/", "n/../u"])
def test_a_block_that_names_no_claim_is_seen(text: str) -> None:
    """The parts become paths of requests."""
    assert read_claim_key(text) is None
    assert read_claim_key("ns/vm.net/u-1") == ("ns", "vm.net", "u-1")


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        (claim_object(network="storage"), 'it is for network "storage"'),
        (claim_object(interface="net2"), 'for interface net1: it is for "net2"'),
        (claim_object(ipRequests=["10.9.0.200/24"]), "its spec.ipRequests asks for addresses"),
    ],
)
def test_a_claim_of_another_network_or_interface_is_refused(obj: Any, text: str) -> None:
    """So is one that asks for addresses: policy for these judges pods."""
    with pytest.raises(Denied, match=text):
        check_ipam_claim(read_ipam_claim(obj), PLANE, (PLANE.name,), "net1")


def test_a_claim_that_is_being_deleted_is_refused() -> None:
    """Its addresses would be released under the pod's feet."""
    obj = claim_object()
    obj["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    with pytest.raises(Denied, match="it is being deleted"):
        check_ipam_claim(read_ipam_claim(obj), PLANE, (PLANE.name,), "net1")


def test_a_claim_serves_no_plane_whose_addresses_end_with_pods() -> None:
    """The plane's administrator decides."""
    plane = make_plane(subnets=SUBNETS)
    with pytest.raises(Denied, match="end with their pod"):
        check_ipam_claim(read_ipam_claim(claim_object()), plane, (plane.name,), "net1")


def test_a_status_counts_only_where_a_block_keeps_the_address_for_that_claim() -> None:
    """Whoever may write the status gets no address by it."""
    claim = read_ipam_claim(claim_object(status={"ips": ["10.9.0.200/24"]}))
    assert kept_addresses(claim, {A: claim.key, B: claim.key}) == (A,)
    for kept in ({}, {A: claim.key._replace(uid="u2")}, {B: claim.key}):
        with pytest.raises(Conflict, match=r"10\.9\.0\.200, which is not kept for it"):
            kept_addresses(claim, kept)


def test_what_an_interrupted_attempt_kept_is_used() -> None:
    """The status was not written yet."""
    claim = read_ipam_claim(claim_object())
    assert kept_addresses(claim, {B: claim.key, A: claim.key}) == (A,)
    assert kept_addresses(claim, {}) == ()


def test_a_new_claim_gets_a_free_static_address_that_nobody_reserved() -> None:
    """Neither the gateway nor a reservation, and a bounded number of them is tried."""
    free = free_for_claims(PLANE, {A})
    assert list(map(str, free[:2])) == ["10.9.0.202", "10.9.0.204"]
    assert len(free) == CANDIDATES


def test_an_address_is_kept_until_its_claim_is_gone_or_has_another() -> None:
    """Another claim of the name has another UID."""
    new, key = read_ipam_claim(claim_object()), ClaimKey("ns", "vm.net", "u1")
    settled = read_ipam_claim(claim_object(status={"ips": ["10.9.0.200/24"]}))
    assert not is_over(A, key, new)
    assert not is_over(A, key, settled)
    assert is_over(B, key, settled)
    assert is_over(A, key._replace(uid="u0"), settled)
    assert is_over(A, key, None)
    assert is_over(A, None, settled)
