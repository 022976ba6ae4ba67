"""On fakes: networks come in the order of the list and go in reverse; claims come before."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cni.host.exec import Completed
from planes.model.errors import PlanesError, Unavailable
from planes.model.objects import Namespace
from planes.model.spec.plane_spec import Plane
from tests.cni.runtime_scene import bench, shop_store
from tests.support.cni.exec import PluginCall, failed, plain
from tests.support.cni.runtime import NOTHING
from tests.support.planes import make_plane
from tests.support.store import FakeStore


async def test_networks_are_attached_one_after_the_other_in_the_order_of_the_list(
    tmp_path: Path,
) -> None:
    """However slow the first ones are, and whoever carries them out."""
    made = await bench(tmp_path)
    order: list[str] = []

    async def slow(call: PluginCall):  # type: ignore[no-untyped-def]  # a script
        if call.verb == "ADD":
            order.append(f"{call.ifname} begins")
            await asyncio.sleep(0.02)
            order.append(f"{call.ifname} ends, {sorted(made.log)}")
        return await plain(call)

    made.exec.scripts |= {"two": slow, "macvlan": slow}
    await made.call("ADD")
    assert order == [
        "net1 begins",
        "net1 ends, []",
        "net3 begins",
        "net3 ends, ['add net2']",
    ]


def two_planes() -> FakeStore:
    """Return the store with another plane that namespace shop joins."""
    store = shop_store(networks="")
    store.put_plane(make_plane("extra", network={"type": "macvlan", "master": "eth2"}))
    labels = {f"plane.netplane.io/{name}": "enabled" for name in ("business", "extra")}
    store.put_namespace(Namespace("shop", labels))
    return store


async def test_plane_addresses_are_claimed_at_once_before_any_plugin_runs(tmp_path: Path) -> None:
    """Each claim may need a request of its own: here every one waits for the other."""
    store = two_planes()
    made = await bench(tmp_path, store)
    begun: set[str] = set()
    both = asyncio.Event()
    claim = store.addresses.claim

    async def meet(plane: Plane, *args: Any, **kwargs: Any) -> Any:
        assert made.exec.calls == []
        begun.add(plane.name)
        if begun == {"business", "extra"}:
            both.set()
        await both.wait()
        return await claim(plane, *args, **kwargs)

    store.addresses.claim = meet  # type: ignore[method-assign]  # a script of this test
    async with asyncio.timeout(5):
        await made.call("ADD")
    given = [made.exec.one(f"ADD macvlan {name}").conf["ipam"] for name in ("net1", "net2")]
    assert all(one["addresses"] for one in given)
    await made.call("DEL")
    assert made.leftovers() == NOTHING


@pytest.mark.parametrize("victim", ["business", "extra"])
async def test_addresses_claimed_before_are_given_back_where_another_claim_fails(
    tmp_path: Path, victim: str
) -> None:
    store = two_planes()
    made = await bench(tmp_path, store)
    claim = store.addresses.claim

    async def fail(plane: Plane, *args: Any, **kwargs: Any) -> Any:
        if plane.name == victim:
            await asyncio.sleep(0.01)
            raise Unavailable("cannot take an address: the API server is away")
        return await claim(plane, *args, **kwargs)

    store.addresses.claim = fail  # type: ignore[method-assign]  # a script of this test
    with pytest.raises(Unavailable, match="the API server is away"):
        await made.call("ADD")
    assert made.exec.calls == []  # nor a DEL, which some refuse where there was no ADD
    assert made.leftovers() == NOTHING


async def test_plugins_of_networks_that_were_not_begun_are_not_told_of_the_undo(
    tmp_path: Path,
) -> None:
    """Host-device's DEL fails for want of the link: it was tried as long as the sandbox lived."""
    made = await bench(tmp_path, two_planes())

    async def fails(call: PluginCall) -> Completed:
        return failed("no") if call.verb == "ADD" else await plain(call)

    made.exec.scripts["macvlan"] = fails
    with pytest.raises(PlanesError, match="net1"):
        await made.call("ADD")
    assert made.exec.names("DEL")[0] == "DEL macvlan net1"
    assert "DEL macvlan net2" not in made.exec.names("DEL")
    assert made.leftovers() == NOTHING


async def test_claims_that_cannot_be_given_back_now_stay_in_the_journal(tmp_path: Path) -> None:
    store = two_planes()
    made = await bench(tmp_path, store)
    claim, release = store.addresses.claim, store.addresses.release

    async def fail(plane: Plane, *args: Any, **kwargs: Any) -> Any:
        if plane.name == "business":
            await asyncio.sleep(0.01)
            raise Unavailable("cannot take an address: the API server is away")
        return await claim(plane, *args, **kwargs)

    async def full(plane: str, container_id: str, interface: str) -> None:
        raise Unavailable("cannot give back: no space left on device")

    store.addresses.claim = fail  # type: ignore[method-assign]  # a script of this test
    store.addresses.release = full  # type: ignore[method-assign]
    with pytest.raises(Unavailable, match="the API server is away"):
        await made.call("ADD")
    assert made.leftovers()["calls"] == 1
    assert made.store.addresses.held["extra"]
    store.addresses.release = release  # type: ignore[method-assign]
    await made.reconciler.reconcile()
    assert made.leftovers() == NOTHING


async def test_what_stands_on_an_interface_of_the_sandbox_waits_for_it(tmp_path: Path) -> None:
    store = shop_store(networks="above, chain")
    above = {
        "cniVersion": "1.0.0",
        "name": "above",
        "type": "one",
        "linkInContainer": True,
        "master": "net2",
    }
    store.put_nad(
        replace(
            store.catalog.nads[next(iter(store.catalog.nads))],
            namespace="shop",
            name="above",
            config=json.dumps(above),
        )
    )
    made = await bench(tmp_path, store)
    await made.call("ADD")
    ended = [name for name in made.exec.ended if name.startswith("ADD")]
    assert ended[2:] == ["ADD two net2", "ADD meta net2", "ADD one net1", "ADD macvlan net3"]


async def test_binaries_run_one_after_the_other_from_the_last_network_to_the_first(
    tmp_path: Path,
) -> None:
    """A bond must let go of its links while they are there (bond-cni's DEL wants each)."""
    made = await bench(tmp_path, shop_store(networks="chain, chain@x1"))
    await made.call("ADD")
    running: list[str] = []

    async def alone(call: PluginCall) -> Completed:
        running.append(call.name)
        await asyncio.sleep(0.005)
        assert running == [call.name]
        running.clear()
        return await plain(call)

    for kind in ("one", "two", "meta", "macvlan"):
        made.exec.scripts[kind] = alone
    await made.call("DEL")
    assert made.exec.names("DEL") == [
        "DEL macvlan net3",
        *("DEL meta x1", "DEL two x1"),
        *("DEL meta net1", "DEL two net1"),
        *("DEL meta eth0", "DEL one eth0"),
    ]
    assert made.leftovers() == NOTHING
