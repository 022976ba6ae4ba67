"""Wires: which planes a NAD's configuration stands on, however it is spelled."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from planes.model.names import RESOURCE_NAME_ANNOTATION
from planes.model.objects import Nad, NadRef
from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog
from planes.model.state.supplies import supplies_of
from planes.model.state.wire import Wire, WireKind
from planes.model.state.wire_index import planes_in
from planes.model.state.wires import wires_of
from planes.model.wire.netconf import parse_conflist
from tests.support.model import make_catalog, make_plane

ETH1 = make_plane("untagged")
VLAN = make_plane("tagged", network={"type": "vlan", "master": "eth1", "vlan": 100})
BRIDGE = make_plane("bridged", network={"type": "bridge", "master": "br-x"})
VF = make_plane("virtual", network={"type": "sriov", "resourceName": "intel.com/vf", "vlan": 7})
DEVICE = make_plane("moved", network={"type": "host-device", "master": "eth7"})
PLANES = (ETH1, VLAN, BRIDGE, VF, DEVICE)
REF = NadRef("shop", "own")


def nad(*plugins: dict[str, Any], resource: str = "", **members: Any) -> Nad:
    body = {"cniVersion": "1.0.0", "name": "own", "plugins": list(plugins), **members}
    annotations = {RESOURCE_NAME_ANNOTATION: resource} if resource else {}
    return Nad(*REF, orjson.dumps(body).decode(), annotations)


def on(*plugins: dict[str, Any], resource: str = "", planes: tuple[Plane, ...] = PLANES) -> str:
    catalog = make_catalog(*planes, nads=[nad(*plugins, resource=resource)])
    return " ".join(plane.name for plane in planes_in(catalog.plane_wires(REF)))


@pytest.mark.parametrize(
    ("plugin", "found"),
    [
        ({"type": "macvlan", "master": "eth1"}, "untagged"),
        ({"type": "ipvlan", "master": "eth1"}, "untagged"),
        ({"type": "macvtap", "master": "eth1"}, "untagged"),
        ({"type": "ipvlan", "Master": "eth1"}, "untagged"),
        ({"type": "ipvlan", "ma\u017fter": "eth1"}, "untagged"),
        ({"type": "ipvlan", "master": "eth9", "MASTER": "eth1"}, "untagged"),
        ({"type": "macvlan", "master": "eth1\0x"}, "untagged"),
        (
            {"type": "macvlan", "Linkincontainer": True, "linkInContainer": False},
            "bridged moved untagged",
        ),
        (
            {
                "type": "bond",
                "Linksincontainer": True,
                "linksInContainer": False,
                "links": [{"name": "eth1"}],
            },
            "tagged untagged",
        ),
        ({"type": "macvlan", "master": "eth1", "mode": "passthru"}, "tagged untagged"),
        ({"type": "host-device", "device": "eth1"}, "tagged untagged"),
        ({"type": "bond", "links": [{"name": "eth1"}, {"name": "eth2"}]}, "tagged untagged"),
        ({"type": "vlan", "master": "eth1", "vlanId": 100}, "tagged"),
        ({"type": "vlan", "master": "eth1", "VlanID": 100}, "tagged"),
        ({"type": "vlan", "master": "eth1", "vlanId": "100"}, "tagged untagged"),
        ({"type": "macvlan", "master": "eth1.100"}, "tagged"),
        ({"type": "macvlan", "master": "eth1.0100"}, "tagged"),
        ({"type": "vlan", "master": "eth1.100", "vlanId": 5}, "tagged"),
        ({"type": "macvlan", "master": "eth1.200"}, ""),
        ({"type": "macvlan", "master": "eth1.5000"}, ""),
        ({"type": "macvlan", "master": "eth2"}, ""),
        ({"type": "bridge", "bridge": "br-x"}, "bridged"),
        ({"type": "bridge", "bridge": "br-x", "vlan": 5}, "bridged"),
        ({"type": "bridge", "bridge": "br-x", "vlanTrunk": [{"id": 5}]}, "bridged"),
        ({"type": "tap", "bridge": "br-x"}, "bridged"),
        ({"type": "macvlan", "master": "br-x"}, "bridged"),
        ({"type": "flannel", "delegate": {"type": "macvlan", "master": "eth1"}}, "untagged"),
        ({"type": "flannel", "delegate": {"bridge": "br-x"}}, "bridged"),
        ({"type": "ovs", "bridge": "br-x", "vlan": 7}, "bridged"),
        ({"type": "unheard-of", "master": "eth1"}, "untagged"),
        ({"type": "unheard-of", "delegates": [{"type": "macvlan", "master": "eth1"}]}, "untagged"),
        ({"type": "host-device", "device": "eth7"}, "moved"),
        ({"type": "vlan", "master": "eth7", "vlanId": 3}, "moved"),
        ({"type": "bridge"}, ""),
        ({"type": "ptp"}, ""),
    ],
)
def test_a_nad_stands_on_the_planes_of_its_wires(plugin: dict[str, Any], found: str) -> None:
    assert on(plugin) == found


def test_without_a_master_it_may_stand_on_the_untagged_network_of_any_link() -> None:
    assert on({"type": "macvlan"}) == "bridged moved untagged"


def test_every_plugin_of_the_list_counts() -> None:
    assert on({"type": "bridge", "bridge": "own0"}, {"type": "ipvlan", "master": "eth1"}) == (
        "untagged"
    )
    assert on({"type": "ptp"}, {"type": "tuning"}) == ""


def test_a_resource_is_a_wire_with_its_vlan() -> None:
    assert on({"type": "sriov", "vlan": 7}, resource="intel.com/vf") == "virtual"
    assert on({"type": "sriov", "vlan": 8}, resource="intel.com/vf") == ""
    assert on({"type": "host-device"}, resource="intel.com/vf") == "virtual"
    assert on({"type": "sriov", "vlan": 7}, resource="intel.com/other") == ""
    assert on({"type": "macvtap"}, resource="macvtap.network.kubevirt.io/eth1") == "untagged"


def test_a_resource_beside_a_master_is_no_wire() -> None:
    """Shared RDMA devices are asked for beside a macvlan: what counts is the master."""
    rdma = make_plane("rdma", network={**ETH1_NETWORK, "resourceName": "rdma/shared"})
    one = {"type": "macvlan", "master": "eth9"}
    assert on(one, resource="rdma/shared", planes=(rdma,)) == ""


ETH1_NETWORK = {"type": "macvlan", "master": "eth1"}


def test_devices_are_one_however_their_address_is_written() -> None:
    conflist = parse_conflist({"type": "host-device", "name": "x", "pciBusID": "3B:00.2"})
    assert wires_of(conflist) == {Wire(WireKind.PCI, "0000:3b:00.2", None)}


def test_a_link_of_the_sandbox_is_on_the_wire_of_another_attachment() -> None:
    conf = {"type": "vlan", "name": "x", "master": "net1", "vlanId": 100, "linkInContainer": True}
    found = wires_of(parse_conflist(conf))
    assert Wire(WireKind.INNER, "", 100) in found
    assert Wire(WireKind.LINK, "net1", 100) in found, "older plugins take the host's link"


def test_an_ipvlan_may_be_on_any_interface_that_a_written_result_names() -> None:
    """Without a master the plugin takes the interface of the result before it."""
    previous = {"interfaces": [{"name": "eth1"}, {"NAME": "eth2.100"}]}
    found = wires_of(parse_conflist({"type": "ipvlan", "name": "x", "prevresult": previous}))
    assert Wire(WireKind.LINK, "eth1", 0) in found
    assert Wire(WireKind.LINK, "eth2", 100) in found


def test_planes_of_one_wire_stand_together_and_those_of_several_apart() -> None:
    other = make_plane("untagged-too", subnets=[{"cidr": "10.0.0.0/24"}])
    catalog = make_catalog(*PLANES, other, nads=[nad({"type": "host-device", "device": "eth1"})])
    names = [[plane.name for plane in planes] for _, planes in catalog.plane_wires(REF)]
    assert names == [["untagged", "untagged-too"], ["tagged"]]


def test_a_planes_own_nad_stands_on_others_only() -> None:
    catalog = make_catalog(*PLANES)
    assert [planes_in(catalog.plane_wires(plane.ref)) for plane in PLANES] == [()] * len(PLANES)
    mine = make_plane("mine", network={"nadRef": {"namespace": "shop", "name": "own"}})
    found = nad({"type": "macvlan", "master": "eth1"})
    catalog = make_catalog(mine, ETH1, nads=[found])
    assert planes_in(catalog.plane_wires(REF)) == (ETH1,)


def test_wires_of_no_nad_are_looked_up_the_same() -> None:
    wires = wires_of(parse_conflist({"type": "macvlan", "name": "x", "master": "eth1"}))
    assert make_catalog(*PLANES).planes_on_wires(wires) == (ETH1,)


def test_what_nad_stands_where_is_kept_while_neither_it_nor_a_plane_changes() -> None:
    own = nad({"type": "macvlan", "master": "eth1"})
    one = Catalog.build(PLANES, [own])
    two = Catalog.build(PLANES, [own], previous=one)
    assert two.plane_wires(REF) is one.plane_wires(REF)
    assert planes_in(Catalog.build(PLANES[1:], [own], previous=two).plane_wires(REF)) == ()
    changed = nad({"type": "sriov", "vlan": 7}, resource="intel.com/vf")
    three = Catalog.build(PLANES, [nad({"type": "sriov", "vlan": 7})])
    assert planes_in(Catalog.build(PLANES, [changed], previous=three).plane_wires(REF)) == (VF,)


@pytest.mark.parametrize(
    ("ipam", "found"),
    [
        ({}, ""),
        ({"type": "static", "addresses": [{"address": "10.0.0.5/24"}]}, "static 10.0.0.5"),
        ({"type": "static", "Addresses": [{"ADDRESS": "10.0.0.5/24"}]}, "static 10.0.0.5"),
        ({"type": "static", "addresses": [{"address": "nonsense"}]}, "static ?"),
        ({"type": "host-local", "subnet": "10.0.0.0/24"}, "host-local 10.0.0.0-10.0.0.255"),
        (
            {"type": "host-local", "ranges": [[{"subnet": "10.0.0.0/24", "rangeEnd": "10.0.0.9"}]]},
            "host-local 10.0.0.0-10.0.0.9",
        ),
        (
            {
                "type": "host-local",
                "subnet": "10.0.0.0/24",
                "rangeEnd": "10.0.0.9",
                "RangeEnd": "1",
            },
            "host-local 10.0.0.0-10.0.0.255",
        ),
        ({"type": "host-local"}, "host-local ?"),
        (
            {"type": "whereabouts", "range": "10.0.0.5-10.0.0.9/24"},
            "whereabouts 10.0.0.0-10.0.0.255",
        ),
        ({"type": "dhcp"}, "dhcp ?"),
        ({"type": "plane", "plane": "business"}, "plane business"),
    ],
)
def test_what_a_configuration_hands_out_by_itself(ipam: dict[str, Any], found: str) -> None:
    conflist = parse_conflist({"type": "macvlan", "name": "x", "ipam": ipam})
    told = [
        " ".join(
            [each.ipam_type, *([each.plane] if each.plane else [])]
            + [str(address) for address in each.fixed]
            + [str(span) for span in each.ranges]
            + ([] if each.is_known else ["?"])
        )
        for each in supplies_of(conflist)
    ]
    assert " ".join(told) == found


def test_addresses_in_the_members_a_runtime_fills_count_too() -> None:
    """They are passed on where nobody asks for others."""
    plugins = [
        {"type": "a", "ipam": {"type": "static"}, "runtimeConfig": {"ips": ["10.0.0.5/24"]}},
        {"type": "b", "ipam": {"type": "static"}, "args": {"cni": {"ips": ["10.0.0.6/24"]}}},
    ]
    found = supplies_of(parse_conflist({"name": "x", "plugins": plugins}))
    assert [str(address) for each in found for address in each.fixed] == ["10.0.0.5", "10.0.0.6"]
