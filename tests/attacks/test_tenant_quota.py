"""A tenant who takes more of a plane than its quota, by ways that were not counted.

The plane gives a namespace 2 attachments, 2 addresses, 2 of them static; `shop` has joined it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from planes.kube.store.pod_views import ClaimingPods
from planes.model.decide.decision import Decision, decide
from planes.model.errors import JsonObject
from planes.model.names import DEFAULT_NETWORK_ANNOTATION, NETWORKS_ANNOTATION
from planes.model.objects import Nad, NadRef, Namespace, Pod
from planes.model.spec.plane_spec import Plane
from planes.model.state.claims import PodClaims, Usage
from tests.support.model import claim_index, make_catalog, make_namespace, make_plane, pod_object

QUOTA = {"addressesPerNamespace": 2, "attachmentsPerNamespace": 2, "staticPerNamespace": 2}
PLANE = make_plane(attachment="OnRequest", quota=QUOTA)
SHOP = make_namespace("shop", business="enabled")
OWN = NadRef("shop", "own")


def own_nad(plane_master: str = "eth1") -> Nad:
    body = {"cniVersion": "1.0.0", "type": "macvlan", "master": plane_master}
    ipam = {"capabilities": {"ips": True}, "ipam": {"type": "static"}}
    return Nad("shop", "own", orjson.dumps({**body, **ipam}).decode())


def of_plane(number: int) -> JsonObject:
    ips = [f"192.168.100.{number + 1}"]
    return {"name": "business", "namespace": "netplane-system", "ips": ips}


def of_own(number: int) -> JsonObject:
    return {"name": "own", "namespace": "shop", "ips": [f"192.168.100.{number + 1}/16"]}


def asking(key: str, element: Any) -> Mapping[str, str]:
    return {key: orjson.dumps([element]).decode()}


WAYS = {
    "further networks": (NETWORKS_ANNOTATION, of_plane),
    "eth0": (DEFAULT_NETWORK_ANNOTATION, of_plane),
    "its own NAD": (NETWORKS_ANNOTATION, of_own),
    "its own NAD as eth0": (DEFAULT_NETWORK_ANNOTATION, of_own),
}


def on(
    way: str, before: int, *planes: Plane, nad: Nad | None = None, shop: Namespace = SHOP
) -> Decision:
    """Decide on a pod that comes after some others, all by one way."""
    key, element = WAYS[way]
    pods = [
        Pod.from_object(pod_object(f"w-{number}", annotations=asking(key, element(number))))
        for number in range(before + 1)
    ]
    catalog = make_catalog(*(planes or (PLANE,)), nads=[nad or own_nad()])
    catalog = catalog.with_claims(claim_index(pods[:before]))
    return decide(pods[before], shop, catalog.with_namespaces(lambda _: shop))


@pytest.mark.parametrize("way", WAYS)
def test_tenant_holds_no_more_than_its_quota(way: str) -> None:
    assert not on(way, 1).denied
    refused = on(way, 2)
    assert refused.status == 403
    for what in ("attachments", "addresses", "static addresses"):
        assert f"holds 2 of 2 {what} of plane business" in refused.message


@pytest.mark.parametrize("way", ["its own NAD", "its own NAD as eth0"])
def test_networks_elsewhere_count_for_no_plane(way: str) -> None:
    assert not on(way, 5, nad=own_nad("eth9")).denied


def test_networks_on_a_shared_wire_count_for_no_plane() -> None:
    shared = make_plane(
        attachment="OnRequest",
        quota=QUOTA,
        network={"type": "macvlan", "master": "eth1", "shared": True},
    )
    assert not on("its own NAD", 5, shared).denied


def test_a_network_counts_for_the_one_plane_that_governs_it() -> None:
    apart = [{"cidr": "10.66.0.0/16"}]
    first = make_plane("first", attachment="OnRequest", order=-1, subnets=apart)
    both = make_namespace("shop", business="enabled", first="enabled")
    assert not on("its own NAD", 5, first, PLANE, shop=both).denied
    assert on("its own NAD", 5, first, PLANE).denied  # shop has joined business alone


def test_the_index_forgets_networks_that_nobody_asks_for_any_more() -> None:
    pod = Pod.from_object(pod_object(annotations=asking(NETWORKS_ANNOTATION, of_own(1))))
    index = claim_index([pod])
    assert index.networks_of("shop") == {OWN}
    assert index.usage(OWN, "shop") == Usage(1, 1, 1)
    assert not index.changed({pod.key: None}).networks_of("shop")


def test_the_webhook_follows_what_pods_have_as_eth0() -> None:
    told: dict[str, PodClaims | None] = {}
    view = ClaimingPods(told.__setitem__)
    view.put(pod_object(annotations=asking(DEFAULT_NETWORK_ANNOTATION, of_own(1))))
    (claims,) = told.values()
    assert claims is not None
    assert claims.networks == (OWN,)
    assert view.naming(OWN) == ("web-0",)
