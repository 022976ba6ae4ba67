"""Pods on a master that is down: planes refuse them, other networks publish an event."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from cni.net.uplink_carrier import DeadLink, LinkUse, Uplink
from cni.planning.carrier_faults import uplinks_of
from cni.plugins.attachment import PlannedAttachment
from planes.model.errors import JsonObject, Unavailable
from planes.model.events import Event
from planes.model.objects import Nad, Namespace
from planes.model.wire.netconf import parse_conflist
from tests.cni.runtime_scene import DEFAULT, bench, shop_store
from tests.support.cni.runtime import NOTHING, Bench
from tests.support.planes import make_plane

ETH1 = Uplink(LinkUse.MASTER, "eth1")


def found(*plugins: JsonObject, **more: object) -> list[Uplink]:
    """Return the uplinks of a NAD with these plugins."""
    conf = parse_conflist({"cniVersion": "1.0.0", "name": "n", "plugins": list(plugins)}, what="n")
    return list(uplinks_of(PlannedAttachment("shop/n", conf, "net1", **more)))  # type: ignore[arg-type]  # what a test names


async def warnings(made: Bench) -> list[Event]:
    """Return the events about dead masters, once all are written."""
    events = asyncio.create_task(made.reporter.run())
    await asyncio.sleep(0)
    events.cancel()
    await asyncio.wait([events])
    return [event for event in made.store.events if event.reason == "MasterDown"]


async def test_a_planes_master_without_carrier_is_refused_with_code_11(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    made.kernel.dead = {ETH1: DeadLink("eth1", is_up=False)}
    with pytest.raises(Unavailable) as caught:
        await made.call("ADD")
    assert caught.value.cni_code == 11
    assert caught.value.message == (
        "cannot attach net3 to plane business (NAD netplane-system/business): "
        "cannot pass frames: interface eth1 on node node-a is down"
    )
    assert "run `ip link set dev eth1 up` on node node-a" in caught.value.remedy
    assert "requireCarrier: false of plane business" in caught.value.remedy
    assert made.leftovers() == NOTHING
    assert not made.exec.names("ADD"), "nothing was begun"


async def test_without_carrier_it_says_where_to_look(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    made.kernel.dead = {ETH1: DeadLink("eth1", is_up=True)}
    with pytest.raises(Unavailable, match="interface eth1 on node node-a has no carrier") as caught:
        await made.call("ADD")
    assert "its cable, its switch port or the other end" in caught.value.remedy


async def test_a_required_plane_refuses_all_the_same(tmp_path: Path) -> None:
    store = shop_store()
    store.put_namespace(Namespace("shop", {"plane.netplane.io/business": "required"}))
    made = await bench(tmp_path, store)
    made.kernel.dead = {ETH1: DeadLink("eth1", is_up=False)}
    with pytest.raises(Unavailable):
        await made.call("ADD")


async def test_an_administrator_may_allow_pods_on_masters_without_carrier(tmp_path: Path) -> None:
    store = shop_store()
    network = {"type": "macvlan", "master": "eth1", "requireCarrier": False}
    store.put_plane(make_plane("business", network=network))
    made = await bench(tmp_path, store)
    made.kernel.dead = {ETH1: DeadLink("eth1", is_up=False)}
    await made.call("ADD")
    assert not await warnings(made)


async def test_a_nad_of_no_plane_is_attached_and_its_pod_is_told(tmp_path: Path) -> None:
    store = shop_store(networks="far")
    far = {"cniVersion": "1.0.0", "name": "far", "type": "macvlan", "master": "eth2"}
    store.put_nad(Nad("shop", "far", json.dumps(far)))
    made = await bench(tmp_path, store)
    made.kernel.dead = {Uplink(LinkUse.MASTER, "eth2"): DeadLink("eth2", is_up=False)}
    await made.call("ADD")
    events = await warnings(made)
    assert [(event.type, event.pod) for event in events] == [("Warning", "web")]
    assert events[0].message == (
        "net1 from shop/far reaches nobody: interface eth2 on node node-a is down; "
        "run `ip link set dev eth2 up` on node node-a"
    )


def test_the_master_is_looked_at_for_all_types_that_have_one() -> None:
    for kind in ("macvlan", "ipvlan", "vlan", "ipoib", "macvtap"):
        assert found({"type": kind, "master": "eth1"}) == [ETH1]
    assert found({"type": "ipvlan"}) == [Uplink(LinkUse.MASTER, "")]
    assert found({"type": "macvtap"}) == [], "its device plugin knows"
    assert found({"type": "host-device", "device": "eth1"}) == [Uplink(LinkUse.MOVED, "eth1")]
    assert found({"type": "bridge"}) == [Uplink(LinkUse.BRIDGE, "cni0")]
    address = "0000:03:02.0"
    function = [Uplink(LinkUse.FUNCTION, address)]
    assert found({"type": "sriov", "deviceID": address}) == function
    assert found({"type": "sriov"}, capability_args={"deviceID": address}) == function
    assert found({"type": "sriov"}) == []


def test_keys_count_in_any_letter_case_as_the_plugins_read_them() -> None:
    assert found({"type": "macvlan", "Master": "eth1"}) == [ETH1]
    assert found({"type": "bridge", "BRIDGE": "br0"}) == [Uplink(LinkUse.BRIDGE, "br0")]
    assert found({"type": "macvlan", "master": "eth1", "linkincontainer": True}) == []


def test_links_inside_the_sandbox_and_the_cluster_network_are_not_looked_at() -> None:
    assert found({"type": "macvlan", "master": "eth0", "linkInContainer": True}) == []
    cluster = parse_conflist(DEFAULT, what="n")
    assert not list(uplinks_of(PlannedAttachment("cluster", cluster, "eth0", is_default=True)))


@pytest.mark.parametrize("master", ["x" * 128, "ä" * 64, "a\0b", "\ud800", 7, {}, []])
def test_a_name_that_no_link_can_have_is_left_to_its_plugin(master: object) -> None:
    assert found({"type": "ipvlan", "master": master}) in ([], [Uplink(LinkUse.MASTER, "")])
