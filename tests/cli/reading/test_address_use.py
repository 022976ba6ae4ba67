"""Who has which address, on a cluster and on one machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from planes.cli.reading.address_use import AddressUse, Proof, plane_uses
from planes.cli.reading.directory_api import DirectoryApi
from planes.cli.reading.place import Place
from planes.model.addresses import parse_address
from planes.model.spec.plane import parse_plane
from planes.store.directory import DirStore
from planes.store.protocol import AddressOwner
from tests.cli.cluster_place import A, B
from tests.cli.cluster_place import Place as Cluster
from tests.support.clock import FakeClock
from tests.support.planes import plane_object


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def at(cluster: Cluster) -> Place:
    return Place(cluster.kube, cluster.clock, "the cluster")


async def test_what_a_pod_shows_is_of_the_node_whose_block_has_it(cluster: Cluster) -> None:
    cluster.block("10.9.0.0/26", "n2")
    uid = cluster.pod("web", "10.9.0.7", node="n2")
    use = (await plane_uses(at(cluster)))["business"]
    (found,) = use.uses[parse_address("10.9.0.7")]
    assert (found.proof, found.pod, found.uid, found.node) == (
        Proof.STATUS,
        "shop/web",
        uid,
        "n2",
    )


async def test_a_holder_is_named_once_though_its_pod_shows_the_address(cluster: Cluster) -> None:
    uid = cluster.pod("db-0", A)
    cluster.hold(A, "db-0", uid)
    use = (await plane_uses(at(cluster)))["business"]
    (found,) = use.uses[parse_address(A)]
    assert (found.proof, found.pod, found.uid, found.node) == (
        Proof.HOLDER,
        "shop/db-0",
        uid,
        "n1",
    )


async def test_who_shows_what_another_holds_is_named_too(cluster: Cluster) -> None:
    cluster.hold(B, "db-1", cluster.pod("db-1", B))
    cluster.pod("thief", B)
    use = (await plane_uses(at(cluster)))["business"]
    assert [each.pod for each in use.uses[parse_address(B)]] == ["shop/db-1", "shop/thief"]


async def test_other_planes_than_those_named_are_left_out(cluster: Cluster) -> None:
    assert list(await plane_uses(at(cluster), ["storage"])) == []


async def test_records_of_one_machine_are_proof(tmp_path: Path) -> None:
    manifests, state = tmp_path / "manifests", tmp_path / "state"
    manifests.mkdir()
    (manifests / "plane.json").write_text(json.dumps(plane_object()))
    clock = FakeClock()
    book = DirStore(manifests, state, clock=clock).addresses
    owner = AddressOwner("c1", "net1", "shop", "web", "u1", "n1")
    (claimed,) = await book.claim(parse_plane(plane_object()), owner)
    place = Place(DirectoryApi(manifests, state), clock, str(manifests), manifests, state)
    use = (await plane_uses(place))["business"]
    address = parse_address(claimed.address.partition("/")[0])
    assert use.uses == {address: [AddressUse(Proof.RECORD, "shop/web", "u1", "n1")]}


async def test_an_address_that_was_released_rests(tmp_path: Path) -> None:
    manifests, state = tmp_path / "manifests", tmp_path / "state"
    manifests.mkdir()
    obj = plane_object(ipam={"cooldownSeconds": 60})
    (manifests / "plane.json").write_text(json.dumps(obj))
    clock = FakeClock()
    book = DirStore(manifests, state, clock=clock).addresses
    owner = AddressOwner("c1", "net1", "shop", "web", "u1", "n1")
    (claimed,) = await book.claim(parse_plane(obj), owner)
    await book.release("business", "c1", "net1")
    place = Place(DirectoryApi(manifests, state), clock, str(manifests), manifests, state)
    use = (await plane_uses(place))["business"]
    assert use.uses == {}
    assert use.cooling == {parse_address(claimed.address.partition("/")[0])}
