"""Probes that are answered: what is refused or tried, how often, and what is left."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from cni.native.engine import Engine
from cni.native.plugin import SteppedPlugin
from cni.native.registry import native_plugins
from cni.native.transaction import Work
from cni.net.kernel import Kernel
from cni.net.neighbour_frames import announcement
from cni.plugins.plugin import Call, Probing
from planes.model.addresses import parse_address
from planes.model.errors import CniCode, Conflict
from planes.model.wire.netconf import NetConf
from planes.store.protocol import AddressOwner
from tests.net.probed_wire import MACVLAN, PROBE, wire
from tests.support.node.netns import Node
from tests.support.node.plugins import NoPlugin, detach
from tests.support.node.wire import LIAR, answering, packet_socket_in, recorded

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(60)]


async def test_a_static_address_in_use_is_refused_with_the_mac(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """Nothing is left, and the same address is given once the host is silent."""
    one = wire(kernel, tmp_path, MACVLAN, staticIPs={"allow": "Any"})
    call = await one.call(a_node.sandbox.path, ips=("10.9.0.200",))
    with answering(a_node.far), pytest.raises(Conflict, match=r"10\.9\.0\.200 \(02:ba:") as refused:
        await one.plugin().add(call, one.conf)
    assert refused.value.cni_code == CniCode.CONFLICT
    assert "probed again at each attempt" in refused.value.remedy
    assert one.resting() == {}
    assert [link["ifname"] for link in a_node.sandbox.ip_json("link")] == ["lo"]
    [reported] = one.conflicts
    assert reported.is_asked_for
    result = await one.plugin().add(call, one.conf)
    assert [ip.address for ip in result.ips] == ["10.9.0.200/24"]
    await detach(kernel, one.plugin(), call, one.conf)


async def test_who_answers_for_all_addresses_costs_three(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """Then the pod is tried again later; sockets, links and addresses are gone."""
    one = wire(kernel, tmp_path, MACVLAN)
    call = await one.call(a_node.sandbox.path)
    with answering(a_node.far), pytest.raises(Conflict, match="plane business") as refused:
        await one.plugin().add(call, one.conf)
    assert refused.value.cni_code == CniCode.TRY_AGAIN
    assert one.resting() == dict.fromkeys(["10.9.0.2", "10.9.0.3", "10.9.0.4"], LIAR.hex(":"))
    assert [link["ifname"] for link in a_node.sandbox.ip_json("link")] == ["lo"]
    await one.ipams.release(call, one.conf)
    assert await one.held() == []
    again = await one.call(a_node.sandbox.path, "c2")
    result = await one.plugin().add(again, one.conf)
    assert [ip.address for ip in result.ips] == ["10.9.0.5/24"]
    await detach(kernel, one.plugin(), again, one.conf)


async def test_an_add_ends_where_fewer_addresses_are_left_than_it_tries(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """One of them may rest, so the second one that answered gave the first one back: for ever."""
    one = wire(kernel, tmp_path, MACVLAN, subnets=[{"cidr": "10.9.0.0/30"}])
    call = await one.call(a_node.sandbox.path)
    with answering(a_node.far), pytest.raises(Conflict, match="plane business") as refused:
        await asyncio.wait_for(one.plugin().add(call, one.conf), 10)
    assert refused.value.cni_code == CniCode.TRY_AGAIN
    assert [link["ifname"] for link in a_node.sandbox.ip_json("link")] == ["lo"]
    await one.ipams.release(call, one.conf)
    assert await one.held() == []


async def test_candidates_are_tried_in_order(kernel: Kernel, a_node: Node, tmp_path: Path) -> None:
    one = wire(kernel, tmp_path, MACVLAN, staticIPs={"allow": "Any"})
    wanted = ("10.9.0.200", "10.9.0.201")
    call = await one.call(a_node.sandbox.path, candidates=wanted)
    with answering(a_node.far, only=lambda address: address == wanted[0]):
        result = await one.plugin().add(call, one.conf)
    assert [ip.address for ip in result.ips] == ["10.9.0.201/24"]
    await detach(kernel, one.plugin(), call, one.conf)


async def test_the_fourth_of_a_list_is_reached(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """Each attempt begins with the first: with three it would never be."""
    one = wire(kernel, tmp_path, MACVLAN, staticIPs={"allow": "Any"})
    wanted = tuple(f"10.9.0.{last}" for last in range(200, 204))
    call = await one.call(a_node.sandbox.path, candidates=wanted)
    with answering(a_node.far, only=lambda address: address in wanted[:3]):
        result = await one.plugin().add(call, one.conf)
    assert [ip.address for ip in result.ips] == ["10.9.0.203/24"]
    await detach(kernel, one.plugin(), call, one.conf)


async def test_a_mac_from_the_address_is_made_anew(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """The interface has a MAC by then: the next attempt makes it with the next address."""
    one = wire(kernel, tmp_path, MACVLAN, mac={"source": "FromIP"})
    call = await one.call(a_node.sandbox.path)
    liar = answering(a_node.far, only=lambda address: address == "10.9.0.2")
    with liar, pytest.raises(Conflict, match=r"10\.9\.0\.2 ") as refused:
        await one.plugin().add(call, one.conf)
    assert refused.value.cni_code == CniCode.TRY_AGAIN
    await one.ipams.release(call, one.conf)
    again = await one.call(a_node.sandbox.path, "c2")
    result = await one.plugin().add(again, one.conf)
    assert [link.mac for link in result.interfaces] == ["0a:6e:0a:09:00:03"]
    await detach(kernel, one.plugin(), again, one.conf)


async def test_frames_of_another_vlan_are_of_another_wire(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """A host of VLAN 5 says all the time that it has the address."""
    one = wire(kernel, tmp_path, MACVLAN)
    call = await one.call(a_node.sandbox.path)
    tagged = _tagged(LIAR, "10.9.0.2", 5)
    adding = asyncio.ensure_future(one.plugin().add(call, one.conf))
    with packet_socket_in(a_node.far, "eth1") as sock:
        while not adding.done():
            sock.send(tagged)
            await asyncio.sleep(0.01)
    result = await adding
    assert [ip.address for ip in result.ips] == ["10.9.0.2/24"]
    await detach(kernel, one.plugin(), call, one.conf)


def _tagged(mac: bytes, address: str, vlan: int) -> bytes:
    frame = announcement(mac, parse_address(address))
    return frame[:12] + b"\x81\x00" + vlan.to_bytes(2) + frame[12:]


async def test_networks_of_a_pod_are_probed_together(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """The first probe of the last network is sent before the last one of the first network."""
    wires = [
        wire(
            kernel,
            tmp_path / str(at),
            MACVLAN,
            subnets=[{"cidr": f"10.{at}.0.0/24", "gateway": f"10.{at}.0.1"}],
        )
        for at in range(1, 4)
    ]
    works = []
    for at, one in enumerate(wires):
        call = await one.call(a_node.sandbox.path)
        named = replace(call, ifname=f"net{at + 1}")
        plugin = native_plugins(kernel, one.ipams, NoPlugin())["macvlan"]
        assert isinstance(plugin, SteppedPlugin)
        works.append(Work(plugin.adding(named, one.conf), is_independent=bool(at)))
    with recorded(a_node.far) as seen:
        await Engine(kernel, wires[0].ipams).run_all(a_node.sandbox.path, works)
    times = {
        at: [when for when, said in seen if str(said.address) == f"10.{at}.0.2" and said.is_asking]
        for at in range(1, 4)
    }
    assert all(len(each) == 3 for each in times.values())
    assert times[3][0] < times[1][2]
    names = [link["ifname"] for link in a_node.sandbox.ip_json("link")]
    assert names == ["lo", "net1", "net2", "net3"]


async def test_a_cancelled_add_leaves_nothing(kernel: Kernel, a_node: Node, tmp_path: Path) -> None:
    patient = {**PROBE["ipam"], "probe": {"waitMilliseconds": 1000}}
    one = wire(kernel, tmp_path, MACVLAN, ipam=patient)
    call = await one.call(a_node.sandbox.path)
    adding = asyncio.ensure_future(one.plugin().add(call, one.conf))
    await asyncio.sleep(0.15)
    adding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await adding
    assert [link["ifname"] for link in a_node.sandbox.ip_json("link")] == ["lo"]


async def test_without_a_carrier_nobody_is_asked(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """The ADD waits a second for one, and goes on: whoever has the address is not connected."""
    a_node.far.ip("link", "set", "eth1", "down")
    one = wire(kernel, tmp_path, MACVLAN)
    call = await one.call(a_node.sandbox.path)
    result = await one.plugin().add(call, one.conf)
    assert [ip.address for ip in result.ips] == ["10.9.0.2/24"]
    await detach(kernel, one.plugin(), call, one.conf)


async def test_a_plane_that_does_not_want_it_sends_nothing(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    one = wire(kernel, tmp_path, MACVLAN, ipam={})
    call = await one.call(a_node.sandbox.path)
    with recorded(a_node.far) as seen:
        await one.plugin().add(call, one.conf)
    assert not [said for _, said in seen if said.is_asking and said.address.version == 4]
    await detach(kernel, one.plugin(), call, one.conf)


async def test_a_plane_s_address_of_a_nad_on_its_wire_is_probed(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """It is the NAD's own static one, so none takes its place; its others are no plane's."""
    one = wire(kernel, tmp_path, MACVLAN)
    assert one.plane.probe is not None
    held = parse_address("10.9.0.7")
    probing = Probing(one.plane.name, one.plane.probe, frozenset({held}))
    owner = AddressOwner("c1", "net1", "shop", "web")
    call = Call("c1", a_node.sandbox.path, "net1", owner=owner, probing=probing)
    each = [{"address": "10.9.0.7/24"}, {"address": "10.8.0.7/24"}]
    conf = NetConf({**one.conf.raw, "ipam": {"type": "static", "addresses": each}})
    liar = answering(a_node.far, only=lambda address: address == "10.8.0.7")
    with liar, recorded(a_node.far) as seen:
        await one.plugin().add(call, conf)
    asked = {said.address for _, said in seen if said.is_asking and said.address.version == 4}
    assert asked == {held}
    await detach(kernel, one.plugin(), call, conf)
    with answering(a_node.far), pytest.raises(Conflict, match=r"10\.9\.0\.7 .* of plane business"):
        await one.plugin().add(call, conf)
    assert [(told.plane, told.is_asked_for) for told in one.conflicts] == [("business", True)]
    assert [link["ifname"] for link in a_node.sandbox.ip_json("link")] == ["lo"]
