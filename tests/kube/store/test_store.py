"""KubeStore over a fake API server: its answers, and how it follows changes and faults."""

from __future__ import annotations

import logging

import pytest

from planes.kube.resources import NADS, NAMESPACES, PLANES, PODS
from planes.kube.store.store import KubeStore
from planes.model.errors import Internal, Unavailable
from planes.model.names import NETPLANE_NAMESPACE, NETWORKS_ANNOTATION, STATUS_ANNOTATION
from planes.model.objects import NadRef
from planes.run.metrics import Metrics
from planes.store.protocol import Store
from tests.kube.store.store_scene import STATUS, Scene, nad_object, namespace_object
from tests.support.planes import plane_object

BUSINESS = NadRef(NETPLANE_NAMESPACE, "business")


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture(params=["node", "admission"])
def store(request: pytest.FixtureRequest, scene: Scene) -> KubeStore:
    return scene.for_node() if request.param == "node" else scene.for_admission()


def is_held(store: KubeStore) -> bool:
    return store.catalog.claims.usage(BUSINESS, "shop").addresses == 1


async def test_it_offers_what_the_server_has(scene: Scene, store: KubeStore) -> None:
    seen: Store = store
    assert not seen.is_synced
    async with scene.running(store):
        namespace = store.namespace("shop")
        assert namespace is not None
        assert [p.name for p in store.catalog.membership(namespace).planes] == ["business"]
        assert NadRef("shop", "own") in store.catalog.nads
        assert store.namespace("absent") is None


async def test_it_is_not_synced_while_one_kind_cannot_be_listed(
    scene: Scene, store: KubeStore
) -> None:
    error = Unavailable("cannot list: no")
    scene.api.fail_next(error, verb="list", resource=NADS, times=3)
    async with scene.running(store):
        lists = [request for request in scene.api.requests if request[0] == "list"]
        assert sum(1 for _, plural, *_ in lists if plural == NADS.plural) == 4


async def test_pods_that_ended_or_use_the_host_network_claim_nothing(
    scene: Scene, store: KubeStore
) -> None:
    scene.put_pod("done", {STATUS_ANNOTATION: STATUS}, phase="Succeeded")
    scene.put_pod("host", {STATUS_ANNOTATION: STATUS}, hostNetwork=True)
    async with scene.running(store):
        assert not is_held(store)


async def test_a_pod_that_ends_gives_up_its_claims(scene: Scene, store: KubeStore) -> None:
    scene.put_pod("web", {STATUS_ANNOTATION: STATUS}, phase="Running")
    async with scene.running(store):
        assert is_held(store)
        scene.put_pod("web", {STATUS_ANNOTATION: STATUS}, phase="Succeeded")
        await scene.until(lambda: not is_held(store))


async def test_only_a_change_of_planes_or_nads_indexes_them_anew(
    scene: Scene, store: KubeStore
) -> None:
    async with scene.running(store):
        nads = store.catalog.nads
        scene.put_pod("web", {STATUS_ANNOTATION: STATUS})
        await scene.until(lambda: is_held(store))
        assert store.catalog.nads is nads
        scene.api.put_object(NADS, nad_object("other"))
        await scene.until(lambda: NadRef("shop", "other") in store.catalog.nads)
        assert is_held(store)


async def test_a_namespace_that_joins_is_seen(scene: Scene, store: KubeStore) -> None:
    async with scene.running(store):
        joined = namespace_object("new", **{"plane.netplane.io/business": "required"})
        scene.api.put_object(NAMESPACES, joined)
        await scene.until(lambda: store.namespace("new") is not None)


async def test_what_was_removed_during_an_outage_is_gone_after_it(
    scene: Scene, store: KubeStore
) -> None:
    scene.put_pod("web", {STATUS_ANNOTATION: STATUS})
    async with scene.running(store):
        scene.api.remove_object(PODS, "web", "shop")
        scene.api.remove_object(NADS, "own", "shop")
        scene.api.expire()
        scene.api.cut_watches()
        await scene.until(
            lambda: not is_held(store) and NadRef("shop", "own") not in store.catalog.nads
        )


async def test_through_an_outage_it_stays_synced_and_says_how_old_it_is(
    scene: Scene, store: KubeStore
) -> None:
    async with scene.running(store):
        fresh = store.heard_seconds()
        for verb in ("list", "watch"):
            scene.api.fail_next(Unavailable("cannot reach"), verb=verb, times=1000)
        scene.api.cut_watches()
        scene.clock.advance(100)
        await scene.settled()
        assert store.is_synced
        assert store.heard_seconds() >= fresh + 100


async def test_a_plane_that_became_invalid_stays_in_force_and_is_a_problem(
    scene: Scene, store: KubeStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with scene.running(store):
        before = store.catalog.plane("business")
        scene.api.put_object(PLANES, plane_object(subnets=[{"cidr": "nonsense"}]))
        await scene.until(lambda: bool(store.problems()))
        (problem,) = store.problems()
        assert problem.where == "Plane/business"
        assert "spec.subnets[0].cidr" in problem.reason
        assert store.catalog.plane("business") == before
        scene.api.put_object(PLANES, plane_object())
        await scene.until(lambda: not store.problems())
        await scene.settled()
    assert [record.message for record in caplog.records] == ["object at fault", "object mended"]


async def test_a_plane_stored_with_a_rule_that_has_no_effect_stays_in_force(
    scene: Scene, store: KubeStore
) -> None:
    """Definitions of earlier versions let such planes be written."""
    scene.api.put_object(PLANES, plane_object("business", enforcement={"workloads": "Deny"}))
    async with scene.running(store):
        assert [plane.name for plane in store.catalog.planes] == ["business"]
        assert store.problems() == ()


async def test_doubtful_planes_and_nads_are_problems(scene: Scene, store: KubeStore) -> None:
    reference = {"nadRef": {"namespace": "shop", "name": "own"}}
    for name in ("one", "two"):
        scene.api.put_object(PLANES, plane_object(name, network=reference, subnets=[]))
    async with scene.running(store):
        (problem,) = store.problems()
        assert problem.where == "spec.network.nadRef of planes one, two"


async def test_what_is_doubtful_of_a_nad_is_a_problem(scene: Scene, store: KubeStore) -> None:
    nad = nad_object()
    nad["spec"]["config"] = (
        '{"cniVersion":"1.0.0","name":"own","type":"macvlan","master":"eth1",'
        '"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'
    )
    scene.api.put_object(NADS, nad)
    async with scene.running(store):
        assert [one.where for one in store.problems()] == ["NAD shop/own ipam"]


async def test_static_addresses_come_from_static_ranges_only(
    scene: Scene, store: KubeStore
) -> None:
    async with scene.running(store):
        assert store.catalog.static_needs_ranges


async def test_isolation_of_namespaces_survives_a_new_index(scene: Scene) -> None:
    store = KubeStore.for_admission(
        scene.api, clock=scene.clock, namespace_isolation=True, global_namespaces=["infra"]
    )
    async with scene.running(store):
        assert store.catalog.namespace_isolation
        assert store.catalog.global_namespaces == {"infra"}


async def test_admission_has_no_addresses_to_hand_out(scene: Scene) -> None:
    with pytest.raises(Internal, match="cannot hand out plane addresses"):
        _ = scene.for_admission().addresses


async def test_admission_keeps_claims_of_all_nodes_but_no_pod(scene: Scene) -> None:
    scene.put_pod("web", {STATUS_ANNOTATION: STATUS}, node="far")
    async with scene.running(scene.for_admission()) as store:
        assert is_held(store)
        assert store.pod("shop", "web") is None


async def test_a_node_knows_its_own_pods_alone(scene: Scene) -> None:
    scene.put_pod("web", {NETWORKS_ANNOTATION: "own"})
    scene.put_pod("far", node="node-b")
    async with scene.running(scene.for_node()) as store:
        pod = store.pod("shop", "web")
        assert pod is not None
        assert (pod.node, pod.annotations) == ("node-a", {NETWORKS_ANNOTATION: "own"})
        assert store.pod("shop", "far") is None


async def test_a_pod_is_fetched_live_with_one_get(scene: Scene, store: KubeStore) -> None:
    scene.put_pod("web", phase="Running")
    pod = await store.fetch_pod("shop", "web")
    assert pod is not None
    assert pod.phase == "Running"
    assert scene.asked() == ["get pods"]
    assert await store.fetch_pod("shop", "absent") is None


async def test_metrics_tell_problems_and_what_is_kept(scene: Scene) -> None:
    scene.put_pod("web", {STATUS_ANNOTATION: STATUS})
    scene.api.put_object(PLANES, plane_object("bad", subnets=[{"cidr": "nonsense"}]))
    metrics = Metrics()
    store = KubeStore.for_admission(scene.api, clock=scene.clock, metrics=metrics)
    async with scene.running(store):
        text = metrics.render().decode()
    assert 'netplane_problems{kind="Plane"} 1.0' in text
    assert 'netplane_problems{kind="NetworkAttachmentDefinition"} 0.0' in text
    assert "netplane_kept_pods 1.0" in text
    assert 'netplane_watch_silent_seconds{watch="pods"}' in text
