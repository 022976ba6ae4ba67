"""A pod that names an IPAMClaim counts for its namespace's quota of static addresses."""

from __future__ import annotations

import orjson

from planes.model.decide.decision import Decision, decide
from planes.model.errors import JsonObject
from planes.model.objects import Pod
from tests.support.model import make_catalog, make_namespace, make_plane, pod_object

JOINED = make_namespace(business="enabled")
SUBNETS = [{"cidr": "192.168.0.0/16", "staticRanges": ["192.168.100.0/26"]}]


def pod(name: str, **member: object) -> JsonObject:
    element = {"name": "business", "namespace": "netplane-system", **member}
    return pod_object(networks=orjson.dumps([element]).decode(), name=name)


def beside(other: JsonObject, own: JsonObject, most: int) -> Decision:
    """Decide of a pod beside another one of its namespace, which may have so many."""
    plane = make_plane(
        subnets=SUBNETS,
        staticIPs={"allow": "Any"},
        ipam={"lifecycle": "Persistent"},
        quota={"staticPerNamespace": most},
    )
    return decide(Pod.from_object(own), JOINED, make_catalog(plane, pods=[other]))


def test_a_pod_with_a_claim_counts_beside_one_that_asks_for_an_address() -> None:
    """Whichever is first."""
    asking = pod("web", ips=["192.168.100.5"])
    keeping = pod("vm", **{"ipam-claim-reference": "vm"})
    for first, second in ((asking, keeping), (keeping, asking)):
        (error,) = beside(first, second, 1).errors
        assert "holds 1 of 1 static addresses" in error.message
        assert not beside(first, second, 2).denied


def test_a_pod_without_a_claim_counts_for_none() -> None:
    keeping = pod("vm", **{"ipam-claim-reference": "vm"})
    assert not beside(keeping, pod("web"), 1).denied
    assert not beside(pod("web"), keeping, 1).denied
