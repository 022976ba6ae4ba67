"""Devices of resource claims read from an API server: only for pods that have some."""

from __future__ import annotations

import asyncio

import pytest

from planes.kube.resources import PODS, RESOURCE_CLAIMS, RESOURCE_SLICES, Resource
from planes.kube.store.device_claims import DeviceClaims
from planes.model.errors import Denied, JsonObject, Unavailable
from tests.support.kube.claims import (
    NODE,
    attributes,
    claim_object,
    claim_status,
    result,
    slice_object,
)
from tests.support.kube.fake_kube import FakeKube

VF = "example.com/vfs"


@pytest.fixture
def kube() -> FakeKube:
    return FakeKube()


def put_pod(kube: FakeKube, status: JsonObject) -> str:
    pod = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {}, "status": status}
    uid: str = kube.put_object(PODS, pod)["metadata"]["uid"]
    return uid


async def read(kube: FakeKube, uid: str, node: str = NODE) -> list[tuple[str, str]]:
    found = await DeviceClaims(kube, node).devices("shop", "web", uid)
    return [(one.resource, one.device_id) for one in found]


async def test_a_pod_without_claims_costs_one_request(kube: FakeKube) -> None:
    assert await read(kube, put_pod(kube, {"phase": "Pending"})) == []
    assert [request[:2] for request in kube.requests] == [("get", PODS.plural)]


async def test_a_pod_that_is_gone_or_was_made_anew_has_none(kube: FakeKube) -> None:
    assert await read(kube, "u1") == []
    put_pod(kube, claim_status("a"))
    assert await read(kube, "another") == []


async def test_the_slices_of_the_node_are_enough(kube: FakeKube) -> None:
    uid = put_pod(kube, claim_status("a"))
    kube.put_object(RESOURCE_CLAIMS, claim_object("a", result("vf1"), uid=uid))
    kube.put_object(RESOURCE_SLICES, slice_object("s1", {"vf1": attributes(VF, "x")}))
    kube.put_object(RESOURCE_SLICES, slice_object("s2", {"vf1": {}}, node="b", pool="b"))
    assert await read(kube, uid) == [(VF, "x")]
    assert [request[0] for request in kube.requests] == ["get", "get", "list"]


async def test_a_device_of_no_node_is_found_in_the_slices_of_its_driver(kube: FakeKube) -> None:
    uid = put_pod(kube, claim_status("a"))
    kube.put_object(RESOURCE_CLAIMS, claim_object("a", result("nic", pool="lan"), uid=uid))
    shared = slice_object("s", {"nic": attributes(VF, "x")}, pool="lan")
    del shared["spec"]["nodeName"]
    kube.put_object(RESOURCE_SLICES, {**shared, "spec": {**shared["spec"], "allNodes": True}})
    assert await read(kube, uid) == [(VF, "x")]
    assert [request[0] for request in kube.requests] == ["get", "get", "list", "list"]


async def test_a_claim_that_is_not_there_is_named(kube: FakeKube) -> None:
    uid = put_pod(kube, claim_status("a"))
    with pytest.raises(Unavailable, match="ResourceClaim shop/a"):
        await read(kube, uid)


async def test_a_claim_of_another_pod_is_refused(kube: FakeKube) -> None:
    uid = put_pod(kube, claim_status("a"))
    kube.put_object(RESOURCE_CLAIMS, claim_object("a", result("vf1"), uid="another"))
    with pytest.raises(Denied):
        await read(kube, uid)


class SilentKube(FakeKube):
    """An API server that does not answer."""

    async def get(
        self, resource: Resource, name: str, *, namespace: str = "", is_metadata_only: bool = False
    ) -> JsonObject:
        await asyncio.Event().wait()
        raise AssertionError


async def test_an_api_server_that_hangs_is_not_waited_for() -> None:
    with pytest.raises(Unavailable, match="no answer within"):
        await DeviceClaims(SilentKube(), seconds=0.05).devices("shop", "web", "u1")
