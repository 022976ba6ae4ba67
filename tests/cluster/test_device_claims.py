"""Devices of dynamic resource allocation, with claims and slices on a real API server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from planes.kube.client import access
from planes.kube.client.client import Client
from planes.kube.errors import AlreadyExists
from planes.kube.resources import NAMESPACES, PODS, RESOURCE_CLAIMS, RESOURCE_SLICES
from planes.kube.store.device_claims import DeviceClaims
from planes.model.decide.device_assignment import devices_of_claims
from planes.model.errors import Denied, JsonObject
from planes.model.state.claimed_devices import ClaimedDevice
from tests.cluster.apiserver import ApiServer
from tests.kube.store.store_scene import namespace_object
from tests.support.kube.claims import (
    attributes,
    claim_object,
    claim_status,
    extended_status,
    result,
    slice_object,
)

PLACE = "claims"
NODE = "claims-node"
VF = "example.com/vfs"


@pytest.fixture
async def client(api_server: ApiServer) -> AsyncIterator[Client]:
    async with access.connect(api_server.kubeconfig(), user_agent="netplane-test/1") as made:
        try:
            await made.create(NAMESPACES, namespace_object(PLACE))
            for obj in (
                slice_object("claims-1", {"vf1": attributes(VF, "0000:03:02.1")}, node=NODE),
                slice_object(
                    "claims-2", {"vf2": attributes(VF, "x")}, node="claims-other", pool="other"
                ),
            ):
                await made.create(RESOURCE_SLICES, obj)
        except AlreadyExists:
            pass
        yield made


async def create_pod(client: Client, name: str, *claims: str, resource: str = "") -> str:
    """Create a pod that uses claims, or requests a resource; return its UID."""
    uses = [{"name": f"c{n}", "resourceClaimName": claim} for n, claim in enumerate(claims)]
    container: JsonObject = {"name": "c", "image": "registry.example/web:1"}
    if uses:
        container["resources"] = {"claims": [{"name": use["name"]} for use in uses]}
    if resource:
        container["resources"] = {kind: {resource: "1"} for kind in ("requests", "limits")}
    spec = {"containers": [container], **({"resourceClaims": uses} if uses else {})}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    made = await client.create(PODS, pod, namespace=PLACE)
    uid: str = made["metadata"]["uid"]
    return uid


async def set_status(client: Client, name: str, status: JsonObject) -> None:
    patch = {"status": status}
    await client.patch(PODS, name, patch, namespace=PLACE, subresource="status")


async def allocate(client: Client, name: str, *results: JsonObject, uid: str, pod: str) -> None:
    """Create a claim with its allocation, as the scheduler leaves it."""
    claim = claim_object(name, *results, uid=uid, namespace=PLACE, pod=pod)
    status = claim.pop("status")
    await client.create(RESOURCE_CLAIMS, claim, namespace=PLACE)
    patch = {"status": status}
    await client.patch(RESOURCE_CLAIMS, name, patch, namespace=PLACE, subresource="status")


async def devices(client: Client, pod: str, uid: str, **more: Any) -> tuple[ClaimedDevice, ...]:
    return await DeviceClaims(client, NODE, **more).devices(PLACE, pod, uid)


async def test_a_pod_has_the_device_of_its_claim(client: Client) -> None:
    uid = await create_pod(client, "one", "one")
    await allocate(client, "one", result("vf1"), uid=uid, pod="one")
    await set_status(client, "one", claim_status("one"))
    found = await devices(client, "one", uid)
    assert devices_of_claims(found, {VF}) == {VF: ["0000:03:02.1"]}


async def test_slices_that_are_not_the_nodes_are_read_where_its_own_lack_the_device(
    client: Client,
) -> None:
    uid = await create_pod(client, "two", "two")
    await allocate(client, "two", result("vf2", pool="other"), uid=uid, pod="two")
    await set_status(client, "two", claim_status("two"))
    assert devices_of_claims(await devices(client, "two", uid), {VF}) == {VF: ["x"]}


async def test_an_extended_resource_by_dra_has_the_device_of_its_request(client: Client) -> None:
    uid = await create_pod(client, "three", resource=VF)
    await allocate(client, "three", result("vf1", "r0"), uid=uid, pod="three")
    await set_status(client, "three", extended_status("three", r0=VF))
    (one,) = await devices(client, "three", uid)
    assert (one.mapped, one.device_id) == (VF, "0000:03:02.1")


async def test_the_claim_of_another_pod_gives_no_device(client: Client) -> None:
    uid = await create_pod(client, "four", "four")
    await allocate(client, "four", result("vf1"), uid="another", pod="four")
    await set_status(client, "four", claim_status("four"))
    with pytest.raises(Denied, match="is not reserved for the pod"):
        await devices(client, "four", uid)


async def test_a_pod_without_claims_has_none(client: Client) -> None:
    uid = await create_pod(client, "five")
    assert await devices(client, "five", uid) == ()
