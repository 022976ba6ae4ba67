"""What may change of a plane while pods hold its addresses, and what kubectl shows of planes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from planes.model.spec.plane import parse_plane
from planes.model.state.plane_counts import AddressCounts
from planes.model.state.plane_status import NadState, Observed, status_of
from tests.cluster.apiserver import ApiServer
from tests.cluster.rest import PLANES, Rest, serve_planes, wait_for
from tests.support.plane_corpus import NAD_REF, corpus_plane

NOW = "2026-01-01T00:00:00Z"
SECOND = {"cidr": "10.10.0.0/24"}
FIRST = {"cidr": "10.9.0.0/24", "gateway": "10.9.0.1"}

FROZEN: dict[str, tuple[dict[str, Any], str]] = {
    "type": ({"network": {"type": "ipvlan"}}, "type, master, vlan and nadRef cannot change"),
    "master": ({"network": {"master": "eth2"}}, "type, master, vlan and nadRef cannot change"),
    "no master": ({"network": {"master": None}}, "type, master, vlan and nadRef cannot change"),
    "cidr": ({"subnets": [SECOND]}, "a subnet's cidr cannot change or go"),
    "larger cidr": ({"subnets": [{"cidr": "10.9.0.0/16"}]}, "a subnet's cidr cannot change or go"),
    "mode": ({"ipam": {"mode": "None"}, "subnets": None}, "mode cannot change"),
    "blockSize": ({"ipam": {"blockSize": 28}}, "blockSize cannot change"),
}
FREE: dict[str, dict[str, Any]] = {
    "a further subnet": {"subnets": [SECOND, FIRST]},
    "ranges": {"subnets": [{**FIRST, "ranges": ["10.9.0.128/25"], "exclude": ["10.9.0.7"]}]},
    "gateway": {"subnets": [{**FIRST, "gateway": "10.9.0.2"}]},
    "mtu": {"mtu": 1400},
    "the default mode, spelled out": {"ipam": {"mode": "Plane"}},
    "enforcement": {"enforcement": {"pods": "Warn"}, "purpose": "other traffic"},
}


@pytest.fixture(scope="module")
def planes(api_server: ApiServer) -> Iterator[Rest]:
    rest = Rest(api_server)
    serve_planes(api_server, rest)
    yield rest
    rest.close()


@pytest.fixture
def plane(planes: Rest) -> Iterator[str]:
    """The path of a plane that is there for one test."""
    path = f"{PLANES}/changing"
    assert planes.create(PLANES, corpus_plane({}, "changing")).is_success
    yield path
    planes.ask("DELETE", path)


def use(planes: Rest, plane: str, count: int) -> None:
    assert planes.merge(f"{plane}/status", {"status": {"inUse": count}}).is_success


@pytest.mark.parametrize("name", FROZEN)
def test_what_pods_rely_on_cannot_change_while_in_use(planes: Rest, plane: str, name: str) -> None:
    spec, message = FROZEN[name]
    use(planes, plane, 3)
    assert message in planes.merge(plane, {"spec": spec}).message


@pytest.mark.parametrize("name", FROZEN)
def test_it_can_change_when_nobody_uses_it(planes: Rest, plane: str, name: str) -> None:
    use(planes, plane, 0)
    assert planes.merge(plane, {"spec": FROZEN[name][0]}).message == ""


@pytest.mark.parametrize("name", FREE)
def test_other_fields_can_change_while_in_use(planes: Rest, plane: str, name: str) -> None:
    use(planes, plane, 3)
    assert planes.merge(plane, {"spec": FREE[name]}).message == ""


def test_a_plane_without_status_can_change(planes: Rest, plane: str) -> None:
    assert planes.merge(plane, {"spec": FROZEN["cidr"][0]}).message == ""


def test_another_nad_cannot_be_named_while_in_use(planes: Rest) -> None:
    path = f"{PLANES}/by-hand"
    assert planes.create(PLANES, corpus_plane(NAD_REF, "by-hand")).is_success
    try:
        use(planes, path, 1)
        for other in ({"name": "other"}, {"namespace": "other"}):
            answer = planes.merge(path, {"spec": {"network": {"nadRef": other}}})
            assert "nadRef cannot change" in answer.message
    finally:
        planes.ask("DELETE", path)


def test_the_status_cannot_be_written_with_the_spec(planes: Rest, plane: str) -> None:
    planes.merge(plane, {"status": {"inUse": 5}})
    assert "status" not in planes.ask("GET", plane).body


def test_the_status_that_the_controller_writes_is_kept_whole(planes: Rest, plane: str) -> None:
    obj = dict(planes.ask("GET", plane).body)
    nad = NadState(True, "Rendered", "the NAD says what the plane says")
    counts = {4: AddressCounts(4, 253, 253, used=7, cooling=3)}
    seen = Observed(nad, counts=counts, namespaces=2, blocks=1)
    written = status_of(parse_plane(obj), seen, None, NOW)
    answer = planes.merge(f"{plane}/status?fieldValidation=Strict", {"status": written})
    assert answer.message == ""
    assert answer.body["status"] == written


def test_a_plane_stored_with_a_rule_that_is_refused_now_gets_its_status(
    planes: Rest, api_server: ApiServer
) -> None:
    """The definition of an earlier version let it be written."""
    crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/planes.netplane.io"
    served = planes.ask("GET", crd).body["spec"]["versions"]
    earlier = json.loads(json.dumps(served))
    schema = earlier[0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    del schema["enforcement"]["x-kubernetes-validations"]
    path, obj = f"{PLANES}/stored", corpus_plane({"enforcement": {"workloads": "Deny"}}, "stored")
    assert planes.merge(crd, {"spec": {"versions": earlier}}).is_success
    wait_for(lambda: planes.create(PLANES, obj), lambda reply: reply.is_success)
    try:
        assert planes.merge(crd, {"spec": {"versions": served}}).is_success
        wait_for(
            lambda: planes.try_out(PLANES, corpus_plane({**obj["spec"]}, "another")),
            lambda reply: "reviews pods, not workloads" in reply.message,
        )
        assert planes.merge(f"{path}/status", {"status": {"namespaces": 1}}).message == ""
        mended = {"spec": {"enforcement": {"workloads": None}}}
        assert planes.merge(path, mended).message == ""
    finally:
        planes.ask("DELETE", path)


def test_kubectl_shows_what_a_plane_is_and_how_it_does(
    planes: Rest, plane: str, api_server: ApiServer
) -> None:
    status = {
        "namespaces": 2,
        "inUse": 7,
        "capacity": 253,
        "available": 243,
        "nad": "netplane-system/changing",
        "conditions": [
            {
                "type": "Accepted",
                "status": "True",
                "reason": "Valid",
                "message": "the plane is in force",
                "lastTransitionTime": NOW,
            }
        ],
    }
    assert planes.merge(f"{plane}/status", {"status": status}).is_success
    head, row = api_server.kubectl("get", "pl", "changing").splitlines()
    titles = "NAME TYPE NAD MASTER SUBNET NAMESPACES INUSE FREE CAPACITY ACCEPTED AVAILABLE AGE"
    assert " ".join(head.split()) == titles
    assert (
        " ".join(row.split()[:-1])
        == "changing macvlan netplane-system/changing eth1 10.9.0.0/24 2 7 243 253 True"
    )


def test_kubectl_explains_fields(planes: Rest, api_server: ApiServer) -> None:
    text = api_server.kubectl("explain", "plane.spec.subnets.ranges")
    assert "What is handed out without being asked for" in " ".join(text.split())


def test_planes_are_in_the_category_netplane(
    planes: Rest, plane: str, api_server: ApiServer
) -> None:
    assert "plane.netplane.io/changing" in api_server.kubectl("get", "netplane", "-o", "name")
