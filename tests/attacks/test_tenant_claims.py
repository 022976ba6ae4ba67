"""A tenant claims addresses of other pods: those pods get them all the same."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from planes.kube.addresses.holders import Holder, static_object
from planes.kube.resources import IPBLOCKS, NADS, NAMESPACES, PLANES, PODS
from planes.kube.store.store import KubeStore
from planes.model import bounds
from planes.model.addresses import parse_address, parse_network
from planes.model.decide.decision import Decision, decide
from planes.model.errors import JsonObject
from planes.model.names import NETPLANE_NAMESPACE, STATUS_ANNOTATION
from planes.model.objects import NadRef, Pod
from planes.model.state.claim_index import ClaimIndex
from planes.model.state.claims import claims_of
from planes.store.protocol import AddressOwner
from tests.attacks.objects import claiming_pod, joined_namespace, nad_object
from tests.kube.store.store_scene import Scene
from tests.support.model import claim_index
from tests.support.planes import plane_object

BUSINESS = NadRef(NETPLANE_NAMESPACE, "business")
WANTED = "10.9.0.200"
STATIC: JsonObject = {
    "subnets": [{"cidr": "10.9.0.0/24", "gateway": "10.9.0.1", "staticRanges": ["10.9.0.128/25"]}],
    "staticIPs": {"allow": "Any"},
}


@pytest.fixture
def scene() -> Scene:
    """A plane with static addresses, joined by `shop` and not by `evil`."""
    found = Scene()
    found.api.put_object(PLANES, plane_object(**STATIC))
    found.api.put_object(NAMESPACES, joined_namespace("shop", "business"))
    found.api.put_object(NAMESPACES, joined_namespace("team", "business"))
    found.api.put_object(NAMESPACES, joined_namespace("evil"))
    return found


def judged(store: KubeStore, name: str = "web", namespace: str = "shop") -> Decision:
    """Decide on a new pod that asks for the wanted address."""
    place = store.namespace(namespace)
    assert place is not None
    pod = Pod.from_object(claiming_pod(name, namespace, asks=[WANTED]))
    return decide(pod, place, store.catalog, creating=True)


def hold(scene: Scene, namespace: str, pod: str) -> None:
    """Have a daemon's block say that a pod has the wanted address."""
    owner = AddressOwner("c1", "net1", namespace, pod, "u1", "node-a")
    holders = {parse_address(WANTED): Holder(owner, 1)}
    network = parse_network("10.9.0.192/26")
    scene.api.put_object(IPBLOCKS, static_object("business", network, holders))


@pytest.mark.parametrize(
    "claims", [{"asks": [WANTED]}, {"shows": [WANTED]}, {"asks": [WANTED], "shows": [WANTED]}]
)
@pytest.mark.parametrize("for_node", [False, True], ids=["admission", "node"])
async def test_tenant_claim_from_a_namespace_that_joined_nothing_refuses_nobody(
    scene: Scene, claims: dict[str, Any], for_node: bool
) -> None:
    pod = claiming_pod("a", "evil", **claims)
    pod["spec"]["nodeName"] = "node-a"
    scene.api.put_object(PODS, pod)
    store = scene.for_node() if for_node else scene.for_admission()
    async with scene.running(store):
        assert judged(store).errors == ()


async def test_tenant_claim_counts_while_its_namespace_is_joined(scene: Scene) -> None:
    scene.api.put_object(PODS, claiming_pod("a", "team", asks=[WANTED]))
    async with scene.running(scene.for_admission()) as store:
        assert "pod team/a asks for it already" in judged(store).message
        scene.api.put_object(NAMESPACES, joined_namespace("team"))
        await scene.until(lambda: not judged(store).errors)
        scene.api.put_object(NAMESPACES, joined_namespace("team", "business"))
        await scene.until(lambda: bool(judged(store).errors))


async def test_tenant_claim_counts_once_its_namespace_joins_by_the_planes_own_selector(
    scene: Scene,
) -> None:
    scene.api.put_object(PODS, claiming_pod("a", "evil", asks=[WANTED]))
    async with scene.running(scene.for_admission()) as store:
        assert not judged(store).errors
        scene.api.put_object(PLANES, plane_object(**STATIC, allNamespaces=True))
        await scene.until(lambda: bool(judged(store).errors))


async def test_tenant_status_of_its_own_making_is_no_attachment_even_where_it_joined(
    scene: Scene,
) -> None:
    scene.api.put_object(PODS, claiming_pod("zz", "team", shows=[WANTED]))
    async with scene.running(scene.for_admission()) as store:
        assert not judged(store).errors


async def test_tenant_status_does_not_put_its_pod_before_one_that_asked_first(
    scene: Scene,
) -> None:
    scene.api.put_object(PODS, claiming_pod("web", "shop", asks=[WANTED]))
    scene.api.put_object(PODS, claiming_pod("zz", "team", asks=[WANTED], shows=[WANTED]))
    async with scene.running(scene.for_admission()) as store:
        assert not judged(store).errors
        assert "pod shop/web asks for it already" in judged(store, "zz", "team").message


async def test_who_holds_an_address_is_told_by_the_block_of_static_addresses(
    scene: Scene,
) -> None:
    hold(scene, "team", "db")
    scene.api.put_object(PODS, claiming_pod("db", "team", shows=["10.9.0.7"]))
    async with scene.running(scene.for_admission()) as store:
        await scene.until(lambda: "pod team/db has it" in judged(store).message)
        assert "free now: 10.9.0.201" in judged(store).message
        assert not judged(store, "db", "team").errors
        scene.api.remove_object(IPBLOCKS, "business.static.10-9-0-0")
        hold(scene, "team", "other")
        await scene.until(lambda: not judged(store).errors)


async def test_what_a_block_says_of_a_pod_that_is_gone_refuses_nobody(scene: Scene) -> None:
    hold(scene, "team", "gone")
    async with scene.running(scene.for_admission()) as store:
        await scene.settled()
        assert not judged(store).errors


async def test_blocks_that_cannot_be_listed_do_not_keep_admission_from_its_work(
    scene: Scene,
) -> None:
    scene.api.put_object(
        IPBLOCKS,
        {
            "metadata": {"name": "business.static.bad"},
            "spec": {"plane": "business", "use": "Static", "cidr": "10.9.0.0/24", "node": ""},
            "holders": {WANTED: "["},
        },
    )
    async with scene.running(scene.for_admission()) as store:
        assert not judged(store).errors


async def test_a_status_that_the_node_wrote_itself_holds_the_address_there(scene: Scene) -> None:
    network = {"nadRef": {"namespace": "shop", "name": "own"}}
    scene.api.put_object(PLANES, plane_object("wire", network=network, subnets=[]))
    scene.api.put_object(NAMESPACES, joined_namespace("shop", "wire"))
    theirs = claiming_pod("zz", "shop", asks=[f"{WANTED}/24"], network="own", place="shop")
    scene.put_pod("zz", theirs["metadata"]["annotations"])
    status = orjson.dumps([{"name": "shop/own", "interface": "net1", "ips": [WANTED]}]).decode()
    async with scene.running(scene.for_node()) as store:
        mine, other = NadRef("shop", "own"), parse_address(WANTED)
        assert store.catalog.rival(mine, other, "shop/new") is not None
        pod = store.pod("shop", "zz")
        assert pod is not None
        await store.put_status(pod, status)
        await scene.settled()
        rival = store.catalog.rival(mine, other, "shop/aa")
        assert rival is not None
        assert rival.is_attached


async def test_tenant_claims_on_somebody_elses_nad_refuse_none_of_its_own_pods(
    scene: Scene,
) -> None:
    static = '{"cniVersion":"1.0.0","type":"bridge","ipam":{"type":"static"}}'
    scene.api.put_object(NADS, nad_object("lan", config=static))
    address = parse_address(WANTED)
    for namespace in ("evil", "shop"):
        pod = claiming_pod("a", namespace, asks=[f"{WANTED}/24"], network="lan", place="shop")
        scene.api.put_object(PODS, pod)
        async with scene.running(scene.for_admission()) as store:
            rival = store.catalog.rival(NadRef("shop", "lan"), address, "shop/web")
            assert (rival is not None) == (namespace == "shop")


# What is remembered of claims.


def test_tenant_pod_claims_at_most_64_addresses() -> None:
    many = [f"10.9.{n // 250}.{n % 250 + 1}" for n in range(18_000)]
    pod = Pod.from_object(claiming_pod("a", "evil", asks=many[:2000]))
    assert not claims_of(pod).claims
    pod = Pod.from_object(claiming_pod("a", "evil", shows=many))
    found = claims_of(pod, is_believed=True)
    assert len(found.claims) <= bounds.MAX_SHOWN_IPS_OF_POD
    assert sum(tally.attached for tally in found.tallies.values()) <= bounds.MAX_SHOWN_IPS_OF_POD


def test_tenant_annotations_over_64_kib_are_not_read() -> None:
    long = {STATUS_ANNOTATION: "[" + " " * (64 << 10) + '{"name":"a/b","ips":["10.0.0.1"]}]'}
    assert not claims_of(Pod("evil", "a", annotations=long))


def test_tenant_claims_beyond_a_namespaces_bound_are_counted_and_not_kept() -> None:
    index = ClaimIndex()
    pods = 2 * bounds.MAX_CLAIMS_OF_NAMESPACE // 16
    for first in range(0, pods, 256):
        index = index.changed(
            {
                f"evil/p{n}": claims_of(
                    Pod.from_object(
                        claiming_pod(
                            f"p{n}", "evil", asks=[f"10.{n >> 8}.{n & 255}.{i}" for i in range(16)]
                        )
                    )
                )
                for n in range(first, first + 256)
            }
        )
    kept = sum(len(claims.claims) for _, claims in index._pods.items())
    assert kept == bounds.MAX_CLAIMS_OF_NAMESPACE
    assert index.usage(BUSINESS, "evil").addresses == pods * 16
    rightful = claims_of(Pod.from_object(claiming_pod("web", "shop", asks=[WANTED])))
    assert index.changed({"shop/web": rightful}).holders(BUSINESS, parse_address(WANTED))


def test_tenant_claims_of_one_address_by_thousands_of_pods_are_a_few() -> None:
    pods = [Pod.from_object(claiming_pod(f"p{n}", "evil", asks=[WANTED])) for n in range(2000)]
    index = claim_index(pods)
    mine = Pod.from_object(claiming_pod("web", "shop", asks=[WANTED]))
    holders = index.with_pod(mine).holders(BUSINESS, parse_address(WANTED))
    assert len(holders) == bounds.MAX_CLAIMS_OF_ADDRESS + 1
    for pod in pods:
        index = index.changed({pod.key: None})
    assert not index.holders(BUSINESS, parse_address(WANTED))
