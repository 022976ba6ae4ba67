"""Of pools of the whole cluster, a node reads what its own pods have."""

from __future__ import annotations

import pytest

from planes.kube.resources import IP_POOLS, IP_RESERVATIONS, PODS
from planes.kube.store.foreign_addresses import ForeignAddresses
from planes.model.decide.adoption import Source
from planes.model.errors import NotFound, Unavailable
from tests.kube.store.store_scene import NODE, pod_object
from tests.support.kube.fake_kube import FakeKube


def pool(**pods: str) -> dict[str, object]:
    allocations = {
        offset[1:]: {"id": f"c{offset[1:]}", "podref": podref, "ifname": "net1"}
        for offset, podref in pods.items()
    }
    spec = {"range": "10.9.0.0/24", "allocations": allocations}
    return {"metadata": {"name": "10.9.0.0-24", "namespace": "kube-system"}, "spec": spec}


async def read(kube: FakeKube) -> set[tuple[str, str, str, str]]:
    found = await ForeignAddresses(kube, NODE).facts()
    return {(fact.source, str(fact.address), fact.user.pod, fact.user.uid) for fact in found}


async def test_an_allocation_counts_on_the_node_of_its_pod() -> None:
    kube = FakeKube()
    own = kube.put_object(PODS, pod_object("web"))
    kube.put_object(PODS, pod_object("far", node="node-b"))
    kube.put_object(IP_POOLS, pool(_7="shop/web", _8="shop/far", _9="shop/gone"))
    assert await read(kube) == {
        (Source.WHEREABOUTS, "10.9.0.7", "web", own["metadata"]["uid"]),
    }


async def test_reservations_wishes_and_pod_ips_are_read_too() -> None:
    kube = FakeKube()
    wish = {"cni.projectcalico.org/ipAddrs": '["10.9.0.11"]'}
    pod = pod_object("web", wish)
    pod["status"] = {**pod.get("status", {}), "podIPs": [{"ip": "10.9.0.12"}]}
    kube.put_object(PODS, pod)
    meta = {"name": "10.9.0.10", "namespace": "kube-system"}
    kube.put_object(IP_RESERVATIONS, {"metadata": meta, "spec": {"podref": "shop/web"}})
    assert {(source, address) for source, address, *_ in await read(kube)} == {
        (Source.WHEREABOUTS, "10.9.0.10"),
        (Source.ANNOTATION, "10.9.0.11"),
        (Source.POD_IP, "10.9.0.12"),
    }


async def test_without_whereabouts_there_are_none() -> None:
    kube = FakeKube()
    for resource in (IP_POOLS, IP_RESERVATIONS):
        kube.fail_next(NotFound("cannot list"), verb="list", resource=resource)
    assert await read(kube) == set()


async def test_a_pool_that_cannot_be_read_is_an_error() -> None:
    kube = FakeKube()
    kube.fail_next(Unavailable("cannot list"), verb="list", resource=IP_POOLS)
    with pytest.raises(Unavailable):
        await read(kube)
