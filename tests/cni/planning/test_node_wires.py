"""Wires of the node: other names of links, files of NADs, and what is refused by them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cni.net.host_links import HostLink
from cni.net.topology import Topology
from planes.model.errors import Conflict, Denied
from planes.model.objects import Nad, Namespace, Pod
from planes.model.spec.plane_spec import Plane
from planes.model.state.wire import Wire, WireKind
from tests.cni.runtime_scene import bench
from tests.support.cni.runtime import NOTHING, Bench
from tests.support.planes import make_plane
from tests.support.store import FakeStore

LINKS = (
    HostLink(1, ("lo",)),
    HostLink(2, ("eth1", "enp1s0"), mac="02:00:00:00:00:01"),
    HostLink(3, ("storage0",), kind="vlan", parent=2, vlan=100),
    HostLink(4, ("br-up",), kind="bridge"),
    HostLink(5, ("eth2",), master=4),
    HostLink(6, ("bond0",), kind="bond"),
    HostLink(7, ("eth3",), master=6),
    HostLink(8, ("mac0",), kind="macvlan", parent=2),
    HostLink(9, ("veth1",), kind="veth", master=4),
    HostLink(10, ("left",), kind="veth", parent=11, master=4),
    HostLink(11, ("right",), kind="veth", parent=10),
)


def names(wire: Wire, **more: Any) -> set[tuple[str, int | None]]:
    found = Topology(LINKS, **more).expand(frozenset({wire}))
    return {(each.name, each.vlan) for each in found if each.kind is WireKind.LINK}


def link(name: str, vlan: int | None = 0) -> Wire:
    return Wire(WireKind.LINK, name, vlan)


def test_alternative_names_are_names() -> None:
    assert names(link("enp1s0")) == {("enp1s0", 0), ("eth1", 0)}


def test_a_vlan_interface_is_its_vlan_whatever_it_is_called() -> None:
    both = {("storage0", 0), ("eth1", 100), ("enp1s0", 100)}
    assert names(link("storage0")) == both
    assert names(link("enp1s0", 100)) == both


def test_ports_of_a_bridge_or_bond_are_one_wire_with_it() -> None:
    up = {("br-up", 0), ("eth2", 0), ("left", 0), ("right", 0)}
    assert {("br-up", 0), ("eth2", 0)} <= names(link("eth2")) <= up
    assert {("br-up", 0), ("right", 0), ("left", 0)} <= names(link("right"))
    assert names(link("bond0", 7)) == {("bond0", 7), ("eth3", 7)}


def test_ports_that_lead_to_pods_are_no_names_of_their_bridge() -> None:
    assert ("veth1", 0) not in names(link("br-up"))


def test_what_sits_on_a_parent_is_on_its_wire() -> None:
    assert names(link("mac0")) == {("mac0", 0), ("eth1", 0), ("enp1s0", 0)}


def test_the_default_routes_link_is_the_one_it_is() -> None:
    assert names(link(""), default=2) == {("eth1", 0), ("enp1s0", 0)}
    assert names(link("")) == {("", 0)}, "nobody knows: it may be any"


def test_devices_are_the_links_they_have() -> None:
    device = Wire(WireKind.PCI, "0000:01:00.0", None)
    assert names(device, devices={device: ("eth1",)}) == {("eth1", None), ("enp1s0", None)}
    assert ("eth1", None) in names(Wire(WireKind.MAC, "02:00:00:00:00:01", None))


SHOP = Namespace("shop", {"plane.netplane.io/business": "enabled"})
EVIL = Namespace("evil")


def business(**spec: Any) -> Plane:
    return make_plane(
        "business",
        network={"type": "macvlan", "master": "eth1", **spec},
        attachment="OnRequest",
        subnets=[{"cidr": "10.8.0.0/24", "gateway": "10.8.0.1", "staticRanges": ["10.8.0.128/25"]}],
        staticIPs={"allow": "Any"},
    )


async def runtime_with(
    path: Path, namespace: Namespace, conf: dict[str, Any] | None, plane: Plane | None = None
) -> Bench:
    text = "" if conf is None else json.dumps({"cniVersion": "1.0.0", "name": "own", **conf})
    pods = [
        Pod(
            namespace.name,
            name,
            annotations={"k8s.v1.cni.cncf.io/networks": "own"},
            uid=f"uid-{name}",
        )
        for name in ("web", "db")
    ]
    store = FakeStore(
        planes=[plane or business()],
        nads=[Nad(namespace.name, "own", text)],
        namespaces=[namespace],
        pods=pods,
    )
    made = await bench(path, store)
    made.kernel.host = Topology(LINKS)
    return made


STATIC = {"type": "static", "addresses": [{"address": "10.8.0.130/24"}]}
ONE = {"type": "one", "ip": "10.8.0.130/24", "ipam": STATIC}


@pytest.mark.parametrize("master", ["enp1s0", "mac0"])
async def test_a_master_by_another_name_is_the_planes_wire(tmp_path: Path, master: str) -> None:
    made = await runtime_with(tmp_path, EVIL, {**ONE, "master": master})
    with pytest.raises(Denied, match="namespace evil has not joined it"):
        await made.call("ADD", pod="evil/web", uid="uid-web")
    assert made.leftovers() == NOTHING


async def test_a_nad_that_is_a_file_of_the_node_is_judged_by_the_file(tmp_path: Path) -> None:
    made = await runtime_with(tmp_path, EVIL, None)
    conf = {"cniVersion": "1.0.0", "name": "own", **ONE, "master": "eth1"}
    (made.conf_dir / "50-own.conf").write_text(json.dumps(conf))
    with pytest.raises(Denied, match="namespace evil has not joined it"):
        await made.call("ADD", pod="evil/web", uid="uid-web")


async def test_addresses_from_elsewhere_are_held_in_the_planes_book(tmp_path: Path) -> None:
    made = await runtime_with(tmp_path, SHOP, {**ONE, "master": "eth1"})
    await made.call("ADD", uid="uid-web")
    held = made.store.addresses.held["business"]
    assert [(str(ip), owner.pod) for ip, owner in held.items()] == [("10.8.0.130", "web")]
    await made.call("DEL", uid="uid-web")
    assert made.leftovers() == NOTHING


async def test_what_is_held_is_given_back_after_a_restart_too(tmp_path: Path) -> None:
    made = await runtime_with(tmp_path, SHOP, {**ONE, "master": "eth1"})
    await made.call("ADD", uid="uid-web")
    await made.restart()
    await made.call("DEL", uid="uid-web")
    assert made.leftovers() == NOTHING


async def test_nobody_gets_an_address_that_came_from_elsewhere(tmp_path: Path) -> None:
    """Two pods of one NAD: admission may not have seen the first one's yet."""
    made = await runtime_with(tmp_path, SHOP, {**ONE, "master": "eth1"})
    made.kernel.sandboxes["/run/netns/other"] = (43, {"lo"})
    await made.call("ADD", uid="uid-web")
    made.store.statuses.clear()
    plain = Pod("shop", "web", uid="uid-web", annotations={})
    made.store.put_pod(plain)
    with pytest.raises(Conflict):
        await made.call(
            "ADD", pod="shop/db", uid="uid-db", container="c2", netns="/run/netns/other"
        )
    assert len(made.store.addresses.held["business"]) == 1


async def test_an_address_that_nobody_judged_is_refused(tmp_path: Path) -> None:
    """A plugin that gives what its configuration does not say."""
    made = await runtime_with(
        tmp_path, SHOP, {"type": "one", "ip": "10.8.0.1/24", "master": "eth1"}
    )
    with pytest.raises(Denied, match=r"10\.8\.0\.1, an address of plane business"):
        await made.call("ADD", uid="uid-web")
    assert made.leftovers() == NOTHING


async def test_on_a_shared_wire_it_is_not_asked(tmp_path: Path) -> None:
    plain = {"type": "one", "ip": "10.8.0.99/24", "master": "eth1"}
    made = await runtime_with(tmp_path, EVIL, plain, business(shared=True))
    await made.call("ADD", pod="evil/web", uid="uid-web")


async def test_what_is_run_is_what_was_judged(tmp_path: Path) -> None:
    """A NAD that changes between the verdict and the plan."""
    made = await runtime_with(
        tmp_path, EVIL, {"type": "one", "ip": "10.3.0.5/24", "master": "eth9"}
    )
    conf = {"cniVersion": "1.0.0", "name": "own", **ONE, "master": "eth1"}
    made.kernel.looking = lambda: made.store.put_nad(Nad("evil", "own", json.dumps(conf)))
    await made.call("ADD", pod="evil/web", uid="uid-web")
    assert made.exec.one("ADD one net1").conf["master"] == "eth9"
