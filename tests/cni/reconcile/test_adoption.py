"""Addresses of other IPAMs are shown first, and held only when an administrator says so."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from planes.model.decide.adoption import AddressUser, Fact, Source
from planes.model.errors import JsonObject, NotFound
from planes.model.objects import Pod
from planes.store.protocol import AddressOwner
from tests.cni.runtime_scene import bench, shop_store
from tests.support.cni.runtime import Bench

OLD = ip_address("10.9.0.7")
POOL = Fact(Source.WHEREABOUTS, OLD, AddressUser("c7", "net1", "shop", "old", "u7"), "10.9.0.0-24")


async def scene(root: Path, *foreign: Fact) -> Bench:
    """Return a runtime of a cluster whose other IPAMs say this."""

    async def facts() -> tuple[Fact, ...]:
        return foreign

    return await bench(root, shop_store(networks=""), foreign=facts)


def put_file(made: Bench, address: str, owner: str, network: str = "storage") -> None:
    directory = made.data_dir / "networks" / network
    directory.mkdir(parents=True, exist_ok=True)
    (directory / address).write_text(owner)


async def adopt(made: Bench, **asked: Any) -> list[JsonObject]:
    found: list[JsonObject] = (await made.parts.reconcile.adoption.answer(asked))["addresses"]
    return found


def verdicts(found: list[JsonObject]) -> dict[str, str]:
    return {one["address"]: one["verdict"] for one in found}


async def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    made = await scene(tmp_path, POOL)
    put_file(made, "10.9.0.8", "c8\r\neth0")
    found = await adopt(made)
    assert verdicts(found) == {"10.9.0.7": "hold", "10.9.0.8": "hold"}
    assert [one["sources"] for one in found] == [["whereabouts"], ["host-local"]]
    assert [one["networks"] for one in found] == [["10.9.0.0-24"], ["storage"]]
    assert made.store.addresses.held == {}


async def test_what_is_applied_is_held_for_its_container(tmp_path: Path) -> None:
    made = await scene(tmp_path, POOL)
    put_file(made, "10.9.0.8", "c8\r\neth0")
    await adopt(made, apply=True)
    assert made.store.addresses.held["business"] == {
        OLD: AddressOwner("c7", "net1", "shop", "old", "u7", "node-a"),
        ip_address("10.9.0.8"): AddressOwner("c8", "eth0", node="node-a"),
    }
    assert verdicts(await adopt(made)) == {"10.9.0.7": "held", "10.9.0.8": "held"}
    await made.call("DEL", container="c8")
    assert set(made.store.addresses.held["business"]) == {OLD}


async def test_what_is_held_on_this_node_alone_is_taken_to_the_cluster(tmp_path: Path) -> None:
    made = await scene(tmp_path, POOL)
    await adopt(made, apply=True)
    made.store.addresses.refused[OLD] = "it is in block 10.9.0.0/28, which node n2 hands out"
    (found,) = await adopt(made, apply=True)
    assert found["verdict"] == "refused"
    assert found["doubts"] == [made.store.addresses.refused[OLD]]


async def test_sources_that_disagree_are_both_named(tmp_path: Path) -> None:
    made = await scene(tmp_path, POOL)
    put_file(made, "10.9.0.7", "c8\r\neth0")
    (found,) = await adopt(made, apply=True)
    assert found["doubts"] == ["whereabouts says pod shop/old (interface net1)"]
    assert made.store.addresses.held["business"][OLD].container_id == "c8"


async def test_an_address_of_another_pod_of_the_plane_is_a_conflict(tmp_path: Path) -> None:
    made = await scene(tmp_path, POOL)
    holder = AddressOwner("c1", "net1", "shop", "web", "u1", "node-a")
    made.store.addresses.held["business"] = {OLD: holder}
    (found,) = await adopt(made, apply=True)
    assert found["verdict"] == "conflict"
    assert made.store.addresses.held["business"] == {OLD: holder}


async def test_a_wish_alone_holds_nothing(tmp_path: Path) -> None:
    made = await scene(tmp_path)
    wish = {"cni.projectcalico.org/ipAddrs": '["10.9.0.7"]'}
    made.store.put_pod(Pod("shop", "evil", uid="u6", annotations=wish))
    (found,) = await adopt(made, apply=True)
    assert (found["verdict"], found["holder"]) == ("unproven", "pod shop/evil")
    assert made.store.addresses.held.get("business", {}) == {}


async def test_networks_bound_files_and_pools(tmp_path: Path) -> None:
    made = await scene(tmp_path, POOL)
    put_file(made, "10.9.0.8", "c8\r\neth0", "evil")
    assert verdicts(await adopt(made, networks=["10.9.0.0-24"])) == {"10.9.0.7": "hold"}


async def test_one_plane_is_named_or_refused(tmp_path: Path) -> None:
    made = await scene(tmp_path, POOL)
    assert verdicts(await adopt(made, plane="business")) == {"10.9.0.7": "hold"}
    with pytest.raises(NotFound, match="no plane 'storage'"):
        await adopt(made, plane="storage")
