"""Masters, MTU chain, the node's own uplink, and bridges, judged by values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cni.net.host_survey import SurveyedLink
from planes.cli.doctor.facts.networks import with_names
from planes.cli.doctor.judging.bridges import judge_bridges
from planes.cli.doctor.judging.masters import judge_masters
from planes.cli.doctor.judging.mtu import judge_mtu
from planes.cli.doctor.judging.node_uplink import judge_node_uplink
from tests.cli.doctor.values import (
    ETH0,
    ETH1,
    default_network,
    link,
    nad,
    needs,
    only,
    plane,
    severities,
    survey,
)


def test_nothing_is_wrong_with_a_healthy_node() -> None:
    planes = [
        plane(mtu=1500),
        plane("storage", network={"type": "ipvlan", "master": "eth1"}, mtu=1400),
        plane("wire", network={"type": "bridge", "master": "br1"}),
        plane("card", network={"type": "host-device", "master": "eth2"}),
        nad("db", type="macvlan", master="eth1"),
        default_network(type="bridge", ipam={"type": "host-local", "subnet": "10.244.1.0/24"}),
    ]
    node = survey(ETH0, ETH1, link("eth2", 4), link("br1", 5, kind="bridge"))
    wanted = needs(*planes)
    assert len(wanted) == 5
    assert not list(judge_masters(wanted, node))
    assert not list(judge_mtu(wanted, node))
    assert not list(judge_node_uplink(wanted, node))
    assert not list(judge_bridges(planes))


def test_a_missing_master_is_said_once_for_all_that_need_it() -> None:
    found = only(judge_masters(needs(plane(), plane("storage")), survey(ETH0)))
    assert found.severity == "error"
    assert (
        found.what == 'this node has no interface "eth1", needed by plane business, plane storage'
    )
    assert "kubectl edit plane business" in found.mend


def test_a_missing_master_of_a_nad_of_no_plane_is_a_warning() -> None:
    network = nad("db", type="macvlan", master="eth9")
    assert severities(judge_masters(needs(network), survey(ETH0))) == ["warning"]


def test_a_master_that_is_left_out_needs_a_default_route() -> None:
    network = nad("db", type="macvlan")
    assert not list(judge_masters(needs(network), survey(ETH0)))
    assert "no default route" in only(judge_masters(needs(network), survey(defaults=()))).what


def test_an_alternative_name_of_a_link_is_a_name_of_it() -> None:
    eth1 = link("enp3s0", 3)
    named = type(eth1)(eth1.link, ("enp3s0", "eth1"))
    assert not list(judge_masters(needs(plane()), survey(ETH0, named)))


def test_a_master_that_is_down_is_found_with_the_command() -> None:
    found = only(judge_masters(needs(plane()), survey(ETH0, link("eth1", 3, flags=0))))
    assert (found.severity, found.mend) == ("error", "ip link set dev eth1 up")


def test_a_name_with_signs_of_the_shell_is_quoted_in_commands() -> None:
    """Who has a device in a pod may name it, and it comes back with that name."""
    network = plane(network={"type": "macvlan", "master": "eth1.5"})
    evil = link("$(reboot)", 3, flags=0, mtu=1000)
    node = survey(evil, link("eth1.5", 4, kind="vlan", parent=3, flags=0))
    found = [*judge_masters(needs(network), node), *judge_mtu(needs(network), node)]
    assert len(found) == 2
    assert all("dev '$(reboot)' " in one.mend for one in found)


def test_below_a_vlan_interface_that_is_down_all_are_brought_up_from_the_bottom() -> None:
    network = plane(network={"type": "macvlan", "master": "eth1.5"})
    node = survey(link("eth1", 3, flags=0), link("eth1.5", 4, kind="vlan", parent=3, flags=0))
    mend = only(judge_masters(needs(network), node)).mend
    assert mend == "ip link set dev eth1 up; ip link set dev eth1.5 up"


def test_a_dead_master_is_a_warning_where_the_plane_needs_no_carrier() -> None:
    network = plane(network={"type": "macvlan", "master": "eth1", "requireCarrier": False})
    dead = link("eth1", 3, flags=0x1)
    found = only(judge_masters(needs(network), survey(ETH0, dead)))
    assert (found.severity, "has no carrier" in found.what) == ("warning", True)


def test_the_link_without_carrier_is_named_below_a_vlan_interface() -> None:
    network = plane(network={"type": "macvlan", "master": "eth1.5"})
    below = link("eth1", 3, flags=0x1)
    node = survey(below, link("eth1.5", 4, kind="vlan", parent=3, flags=0x1))
    assert "eth1 below it has none" in only(judge_masters(needs(network), node)).what


@pytest.mark.parametrize(
    ("kind", "expected"), [("bridge", "error"), ("bond", "error"), ("vrf", None)]
)
def test_a_master_that_is_a_port_is_refused_by_the_kernel(kind: str, expected: str | None) -> None:
    node = survey(ETH0, link("eth1", 3, master=9), link("up0", 9, kind=kind))
    found = severities(judge_masters(needs(plane()), node))
    assert found == ([expected] if expected else [])


def test_a_vlan_on_a_port_is_a_warning() -> None:
    network = plane(network={"type": "vlan", "master": "eth1", "vlan": 5})
    node = survey(ETH0, link("eth1", 3, master=9), link("up0", 9, kind="bridge"))
    assert severities(judge_masters(needs(network), node)) == ["warning"]


def test_a_wireless_master_is_found_for_macvlan_and_not_for_ipvlan() -> None:
    node = survey(ETH0, link("eth1", 3, is_wireless=True))
    assert "is wireless" in only(judge_masters(needs(plane()), node)).what
    shared = plane(network={"type": "ipvlan", "master": "eth1"})
    assert not list(judge_masters(needs(shared), node))


def test_a_bridge_whose_ports_are_all_dead_is_found() -> None:
    network = plane(network={"type": "bridge", "master": "br1"})
    node = survey(ETH0, link("eth1", 3, master=5, flags=0), link("br1", 5, kind="bridge"))
    found = only(judge_masters(needs(network), node))
    assert (found.severity, found.mend) == ("error", "ip link set dev eth1 up")
    pods = survey(ETH0, link("veth1", 3, master=5, kind="veth"), link("br1", 5, kind="bridge"))
    assert not list(judge_masters(needs(network), pods))


def test_a_bridge_that_is_none_is_found() -> None:
    network = plane(network={"type": "bridge", "master": "eth1"})
    assert "is no bridge" in only(judge_masters(needs(network), survey(ETH0, ETH1))).what


def test_a_bridge_that_is_not_there_yet_is_made_by_the_plugin() -> None:
    network = plane(network={"type": "bridge", "master": "br1"})
    assert not list(judge_masters(needs(network), survey(ETH0)))


def test_a_plane_with_a_larger_mtu_than_its_master_is_an_error() -> None:
    found = only(judge_mtu(needs(plane(mtu=9000)), survey(ETH0, ETH1)))
    assert found.severity == "error"
    assert found.mend.startswith("ip link set dev eth1 mtu 9000")


def test_a_smaller_mtu_below_the_master_is_a_warning() -> None:
    network = plane(network={"type": "macvlan", "master": "eth1.5"})
    node = survey(link("eth1", 3), link("eth1.5", 4, kind="vlan", parent=3, mtu=9000))
    found = only(judge_mtu(needs(network), node))
    assert found.severity == "warning"
    assert "but eth1 on the way out only 1500" in found.what


def test_a_bridge_plane_must_fit_through_the_port_that_leads_out() -> None:
    network = plane(network={"type": "bridge", "master": "br1"}, mtu=9000)
    bridge = link("br1", 5, kind="bridge", mtu=9000)
    node = survey(link("eth1", 3, master=5), bridge)
    assert severities(judge_mtu(needs(network), node)) == ["warning"]
    assert not list(judge_mtu(needs(network), survey(bridge)))


@pytest.mark.parametrize("device", ["eth0", "bond0", "slave0"])
def test_a_host_device_that_carries_the_default_route_is_found(device: str) -> None:
    network = plane(network={"type": "host-device", "master": device})
    node = survey(ETH0)
    if device != "eth0":
        bond = link("bond0", 2, kind="bond")
        node = survey(bond, link("slave0", 4, master=2))
    found = only(judge_node_uplink(needs(network), node))
    assert found.severity == "error"
    assert f"would move {device} into a pod" in found.what


@pytest.mark.parametrize("key", ["hwaddr", "pciBusID", "kernelpath"])
def test_a_device_is_found_by_mac_pci_address_and_path(tmp_path: Path, key: str) -> None:
    """It has the name that the node's links have; /sys is that below the root of the node."""
    (tmp_path / "sys/bus/pci/devices/0000:3b:02.1/net/eth0").mkdir(parents=True)
    (tmp_path / "sys/devices/pci0000:3b/0000:3b:02.1/net/eth0").mkdir(parents=True)
    named = {
        "hwaddr": "02:00:00:00:00:01",
        "pciBusID": "0000:3b:02.1",
        "kernelpath": "/sys/devices/pci0000:3b/0000:3b:02.1",
    }
    wanted = needs(nad("card", type="host-device", **{key: named[key]}))
    resolved = list(with_names(wanted, survey(ETH0), str(tmp_path)))
    assert [one.name for one in resolved] == ["eth0"]
    assert "would move eth0" in only(judge_node_uplink(resolved, survey(ETH0))).what
    other = link("eth7", 7)
    other = SurveyedLink(replace(other.link, mac="02:00:00:00:00:07"), other.names)
    assert not list(judge_masters(with_names(wanted, survey(other), "/nowhere"), survey(other)))


@pytest.mark.parametrize("key", ["pciBusID", "kernelpath"])
def test_a_virtual_function_of_the_uplink_may_be_moved(tmp_path: Path, key: str) -> None:
    for folder in ("sys/bus/pci/devices", "sys/devices/pci0000:3b"):
        (tmp_path / folder / "0000:3b:02.1/physfn/net/eth0").mkdir(parents=True)
        (tmp_path / folder / "0000:3b:02.1/net/eth5").mkdir(parents=True)
    named = {"pciBusID": "0000:3b:02.1", "kernelpath": "/sys/devices/pci0000:3b/0000:3b:02.1"}
    wanted = needs(nad("card", type="host-device", **{key: named[key]}))
    node = survey(ETH0, link("eth5", 5))
    resolved = list(with_names(wanted, node, str(tmp_path)))
    assert [one.name for one in resolved] == ["eth5"]
    assert not list(judge_node_uplink(resolved, node))


def test_three_subnets_on_one_bridge_are_found() -> None:
    """Two of them leave the bridge out, and get cni0."""
    first = {"type": "host-local", "subnet": "10.100.0.0/24"}
    second = {"type": "host-local", "subnet": "10.200.0.0/24"}
    networks = [
        nad("bridge-network", type="bridge", bridge="cni0", ipam=first),
        nad("jumbo", type="bridge", mtu=9000, ipam=second),
        nad("minimal", type="bridge", ipam={"ranges": [[{"subnet": "10.30.0.0/24"}]]}),
    ]
    found = only(judge_bridges(networks))
    assert found.severity == "warning"
    assert found.what.startswith(
        "bridge cni0 has 3 subnets: NAD shop/bridge-network (10.100.0.0/24)"
    )


def test_two_families_of_one_network_or_two_vlans_are_no_fault() -> None:
    both = [{"cidr": "10.9.0.0/24"}, {"cidr": "fd00:9::/64"}]
    first = plane(network={"type": "bridge", "master": "br1"}, subnets=both)
    other = nad("v5", type="bridge", bridge="br1", vlan=5, ipam={"subnet": "10.5.0.0/24"})
    assert not list(judge_bridges([first, other]))
