"""A tenant on the wire of two planes of which one is not in force: its addresses are its pods'.

The plane that was created later hands out what the earlier one does, so it is not in force; pods
from before have its addresses. Whoever joined the earlier plane took them by a NAD of its own.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from planes.model.decide.decision import Decision, decide
from planes.model.objects import Nad, Pod
from planes.model.spec.nad_policy import NadPolicy
from planes.model.spec.plane_spec import Plane
from tests.support.model import make_catalog, make_namespace, make_plane, pod_object

ETH1 = {"type": "macvlan", "master": "eth1"}
FIRST = {"cidr": "10.9.0.0/24"}
WIDE = {"cidr": "10.9.0.0/16"}
GUARDED = NadPolicy(is_guarded=True, interfaces=("eth1",))


def static(address: str) -> dict[str, Any]:
    return {"type": "static", "addresses": [{"address": address}]}


def pool(subnet: str) -> dict[str, Any]:
    return {"type": "host-local", "subnet": subnet}


def plane(name: str, subnet: dict[str, Any], **spec: Any) -> Plane:
    return make_plane(name, network={**ETH1, **spec}, subnets=[subnet])


def ask(ipam: dict[str, Any], *planes: Plane, ips: tuple[str, ...] = ()) -> Decision:
    """Decide on a pod with a NAD of its own on the wire; its namespace joined plane `a` alone."""
    conf = {
        "cniVersion": "1.0.0",
        "name": "own",
        "type": "macvlan",
        "master": "eth1",
        "capabilities": {"ips": True},
        "ipam": ipam,
    }
    both = planes or (plane("a", FIRST), plane("b", WIDE))
    nad = Nad("shop", "own", json.dumps(conf))
    catalog = make_catalog(*both, nads=[nad], nad_policy=GUARDED)
    assert [each.plane.name for each in catalog.withheld.values()] == ["b"]
    element = {"name": "own", **({"ips": list(ips)} if ips else {})}
    pod = Pod.from_object(pod_object(networks=json.dumps([element])))
    return decide(pod, make_namespace(a="enabled"), catalog)


@pytest.mark.parametrize("shared", [False, True])
def test_tenant_has_no_fixed_address_of_a_plane_that_is_not_in_force(shared: bool) -> None:
    planes = plane("a", FIRST, shared=shared), plane("b", WIDE)
    (error,) = ask(static("10.9.33.7/16"), *planes).errors
    assert "10.9.33.7: it is plane b's, which is not in force" in error.message
    assert error.status == 403


def test_tenant_asks_for_no_address_of_a_plane_that_is_not_in_force() -> None:
    (error,) = ask({"type": "static"}, ips=("10.9.33.7/16",)).errors
    assert "10.9.33.7: it is plane b's" in error.message


@pytest.mark.parametrize("subnet", ["10.9.33.0/24", "10.0.0.0/8"])
def test_tenant_has_no_pool_of_addresses_of_a_plane_that_is_not_in_force(subnet: str) -> None:
    planes = plane("a", FIRST, shared=True), plane("b", WIDE)
    (error,) = ask(pool(subnet), *planes).errors
    assert "it is plane b's, which is not in force" in error.message


def test_what_the_plane_in_force_has_is_that_plane_s_to_permit() -> None:
    assert not ask(static("10.9.0.7/24")).errors
    assert not ask(pool("10.9.0.0/24"), plane("a", FIRST, shared=True), plane("b", WIDE)).errors


def test_addresses_of_neither_plane_stay_free() -> None:
    assert not ask(static("172.16.0.7/24")).errors
