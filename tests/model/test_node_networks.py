"""Networks that each node has by itself: one address may be in use on each of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from planes.model.decide.decision import Decision, decide
from planes.model.errors import JsonObject
from planes.model.objects import Nad, Pod
from planes.model.state.catalog import Catalog
from tests.support.model import claim_index, make_catalog, make_namespace, make_plane, pod_object

POOL = {"type": "host-local", "ranges": [[{"subnet": "10.5.0.0/24"}]]}
JOINED = make_namespace(business="enabled")


def nad(type_: str = "bridge", ipam: JsonObject = POOL, **more: Any) -> Nad:
    plugin = {"type": type_, "capabilities": {"ips": True}, "ipam": ipam, **more}
    return Nad("shop", "own", json.dumps({"cniVersion": "1.0.0", "name": "own", **plugin}))


def pod(name: str, node: str = "") -> Pod:
    networks = json.dumps([{"name": "own", "ips": ["10.5.0.9/24"]}])
    return replace(Pod.from_object(pod_object(name, networks=networks)), node=node)


def decided(made: Pod, other: Pod, catalog: Catalog) -> Decision:
    """Decide on a pod, while another one claims the same address."""
    return decide(made, JOINED, catalog.with_claims(claim_index([other])))


def disputed(found: Decision) -> bool:
    """Report whether the address is told to be the other pod's: outside planes by a warning."""
    told = (*found.errors, *found.warnings)
    return any("pod shop/first" in each.message for each in told)


@pytest.mark.parametrize("kind", ["bridge", "cnv-bridge", "ptp"])
def test_two_nodes_bridges_may_have_the_same_address(kind: str) -> None:
    catalog = make_catalog(nads=[nad(kind)])
    found = decided(pod("second", "b"), pod("first", "a"), catalog)
    assert not found.errors
    assert not disputed(found)


def test_at_admission_nobody_knows_the_node_and_the_pod_is_warned() -> None:
    """Both may run on one node: then its own host-local refuses the second."""
    found = decided(pod("second"), pod("first", "a"), make_catalog(nads=[nad()]))
    assert not found.errors
    (warning,) = [each for each in found.warnings if "10.5.0.9" in each.message]
    assert "pod shop/first asks for 10.5.0.9 too" in warning.message
    assert "podAntiAffinity" in warning.remedy


def test_on_one_node_the_other_pod_is_named() -> None:
    assert disputed(decided(pod("second", "a"), pod("first", "a"), make_catalog(nads=[nad()])))


@pytest.mark.parametrize(
    ("type_", "ipam"),
    [
        ("macvlan", POOL),
        ("bridge", {"type": "static"}),
        ("bridge", {"type": "dhcp"}),
        ("bridge", {}),
    ],
)
def test_on_a_wire_of_all_nodes_an_address_in_use_is_warned_about(
    type_: str, ipam: JsonObject
) -> None:
    """Multus attaches both; with one address a Deployment rolls out no other way."""
    catalog = make_catalog(nads=[nad(type_, ipam, master="eth9")])
    found = decided(pod("second", "b"), pod("first", "a"), catalog)
    assert not found.errors
    assert any("pod shop/first asks for it too" in each.message for each in found.warnings)


def test_a_bridge_that_is_a_planes_wire_is_of_all_nodes() -> None:
    plane = make_plane(network={"type": "bridge", "master": "br5", "shared": True})
    catalog = make_catalog(plane, nads=[nad(bridge="br5")])
    assert disputed(decided(pod("second", "b"), pod("first", "a"), catalog))


def test_a_plane_on_such_a_nad_has_a_network_on_each_node() -> None:
    network = {"nadRef": {"namespace": "shop", "name": "own"}}
    plane = make_plane(
        network=network, subnets=None, ipam={"mode": "NAD"}, staticIPs={"allow": "Any"}
    )
    catalog = make_catalog(plane, nads=[nad()])
    assert not disputed(decided(pod("second", "b"), pod("first", "a"), catalog))
    found = decided(pod("second", "a"), pod("first", "a"), catalog)
    assert any("10.5.0.9: pod shop/first" in each.message for each in found.errors)
