"""What we encode is read by pyroute2 as what we mean: two implementations of one wire format."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from cni.net.addresses import add_address, add_route
from cni.net.link_changes import delete_group, set_group
from cni.net.links import Link
from cni.net.netlink import NLM_F_CREATE, Message, NetlinkRequest, attributes, messages
from cni.net.new_links import (
    IPVLAN_MODES,
    Placement,
    new_bridge,
    new_ipvlan,
    new_macvlan,
    new_veth,
    new_vlan,
    new_vrf,
)
from cni.net.table_moves import to_table
from planes.model.errors import BadInput
from planes.model.wire.result import Route

LINK = Link(7, "eth1", "c2:11:22:33:44:55", 1500, 0, "bridge", 0, 0, 6, 0, False)
TO = Placement("net1", 9, "c2:11:22:33:44:66", 1400)


def read(kind: Any, request: NetlinkRequest) -> Any:
    """Decode by pyroute2."""
    message = kind(request.encode(5))
    message.decode()
    return message


def test_macvlan_request_names_master_mode_place_and_mac() -> None:
    message = read(ifinfmsg, new_macvlan(TO, master=LINK, mode=4, bc_queue_length=50))
    info = message.get_attr("IFLA_LINKINFO")
    data = info.get_attr("IFLA_INFO_DATA")
    assert message.get_attr("IFLA_LINK") == 7
    assert message.get_attr("IFLA_IFNAME") == "net1"
    assert message.get_attr("IFLA_NET_NS_FD") == 9
    assert message.get_attr("IFLA_ADDRESS") == TO.mac
    assert message.get_attr("IFLA_MTU") == 1400
    assert info.get_attr("IFLA_INFO_KIND") == "macvlan"
    assert data.get_attr("IFLA_MACVLAN_MODE") == "bridge"


@pytest.mark.parametrize("mode", IPVLAN_MODES)
def test_ipvlan_request_names_master_mode_and_place(mode: str) -> None:
    message = read(ifinfmsg, new_ipvlan(TO, master=LINK, mode=IPVLAN_MODES[mode]))
    info = message.get_attr("IFLA_LINKINFO")
    assert message.get_attr("IFLA_LINK") == 7
    assert message.get_attr("IFLA_NET_NS_FD") == 9
    assert info.get_attr("IFLA_INFO_KIND") == "ipvlan"
    assert info.get_attr("IFLA_INFO_DATA").get_attr("IFLA_IPVLAN_MODE") == IPVLAN_MODES[mode]


def test_vlan_request_names_master_id_and_protocol() -> None:
    message = read(ifinfmsg, new_vlan(TO, master=LINK, vlan=4094))
    info = message.get_attr("IFLA_LINKINFO")
    data = info.get_attr("IFLA_INFO_DATA")
    assert message.get_attr("IFLA_LINK") == 7
    assert info.get_attr("IFLA_INFO_KIND") == "vlan"
    assert data.get_attr("IFLA_VLAN_ID") == 4094
    assert data.get_attr("IFLA_VLAN_PROTOCOL") == 0x8100


def test_vrf_request_names_its_table_and_brings_it_up() -> None:
    message = read(ifinfmsg, new_vrf("blue", 70000))
    info = message.get_attr("IFLA_LINKINFO")
    assert message.get_attr("IFLA_IFNAME") == "blue"
    assert message["flags"] & 1 == 1
    assert info.get_attr("IFLA_INFO_DATA").get_attr("IFLA_VRF_TABLE") == 70000


@pytest.mark.parametrize(("table", "in_header"), [(7, 7), (1001, 0)])
def test_a_moved_route_differs_in_its_table_alone(table: int, in_header: int) -> None:
    request = add_route(3, "net1", Route("10.1.0.0/16", priority=5), "10.9.0.1")
    kept = Message(request.kind, 0, 0, memoryview(request.body))
    first, second = to_table([kept, kept], table, "blue")
    moved = read(rtmsg, first)
    assert (moved["table"], moved.get_attr("RTA_TABLE")) == (in_header, table)
    for name in ("RTA_DST", "RTA_OIF", "RTA_GATEWAY", "RTA_PRIORITY"):
        assert moved.get_attr(name) == read(rtmsg, request).get_attr(name)
    assert first.flags == NLM_F_CREATE | 0x100  # REPLACE what the table has
    assert second.flags == NLM_F_CREATE | 0x800  # APPEND to the first


def test_veth_request_has_the_sandbox_end_as_peer_and_the_host_end_up_on_the_bridge() -> None:
    message = read(ifinfmsg, new_veth(TO, host_name="veth00000001", bridge=LINK))
    data = message.get_attr("IFLA_LINKINFO").get_attr("IFLA_INFO_DATA")
    peer = data.get_attr("VETH_INFO_PEER")
    assert message.get_attr("IFLA_IFNAME") == "veth00000001"
    assert message.get_attr("IFLA_MASTER") == 7
    assert message.get_attr("IFLA_ADDRESS") is None
    assert message["flags"] & 1 == 1
    assert peer["flags"] == 0  # a peer that is up is refused: ENOTCONN
    assert peer.get_attr("IFLA_IFNAME") == "net1"
    assert peer.get_attr("IFLA_ADDRESS") == TO.mac
    assert peer.get_attr("IFLA_NET_NS_FD") == 9


def test_address_request_has_local_address_and_broadcast() -> None:
    message = read(ifaddrmsg, add_address(3, "net1", "10.9.1.2/23"))
    assert message["prefixlen"] == 23
    assert message.get_attr("IFA_LOCAL") == "10.9.1.2"
    assert message.get_attr("IFA_ADDRESS") == "10.9.1.2"
    assert message.get_attr("IFA_BROADCAST") == "10.9.1.255"


@pytest.mark.parametrize("address", ["10.9.1.2/31", "10.9.1.2/32", "fd00::1/64"])
def test_networks_without_broadcast_address_get_none(address: str) -> None:
    assert read(ifaddrmsg, add_address(3, "net1", address)).get_attr("IFA_BROADCAST") is None


def test_route_request_is_of_protocol_boot_and_may_repeat_a_destination() -> None:
    route = Route("10.1.0.0/16", priority=5, table=500, scope=253)
    request = add_route(3, "net1", route, "10.9.0.1")
    message = read(rtmsg, request)
    assert (message["proto"], message["scope"], message["table"]) == (3, 253, 0)
    assert message["header"]["flags"] == 0x405  # REQUEST, ACK, CREATE; not EXCL
    assert message.get_attr("RTA_DST") == "10.1.0.0"
    assert message.get_attr("RTA_GATEWAY") == "10.9.0.1"
    assert message.get_attr("RTA_PRIORITY") == 5
    assert message.get_attr("RTA_TABLE") == 500


def test_small_tables_go_into_the_header() -> None:
    message = read(rtmsg, add_route(3, "net1", Route("::/0", table=100), "fd00::1"))
    assert message["table"] == 100
    assert message.get_attr("RTA_TABLE") is None


def test_group_requests_agree_on_the_group() -> None:
    assert read(ifinfmsg, set_group("net1", 77)).get_attr("IFLA_GROUP") == 77
    assert read(ifinfmsg, delete_group(77)).get_attr("IFLA_GROUP") == 77


def test_an_existing_bridge_is_fine() -> None:
    assert 17 in new_bridge("br0").tolerate


@given(st.text(max_size=40))
@settings(max_examples=150, deadline=None)
def test_text_that_is_no_address_is_bad_input(text: str) -> None:
    """Whatever an IPAM plugin may answer: a request, or one BadInput."""
    for make in (add_address, lambda i, n, t: add_route(i, n, Route(t), "")):
        try:
            request = make(3, "net1", text)
        except BadInput:
            continue
        assert request.body


@given(st.integers(), st.none() | st.integers(), st.none() | st.integers())
@settings(max_examples=100, deadline=None)
def test_numbers_out_of_bounds_are_bad_input(
    priority: int, table: int | None, scope: int | None
) -> None:
    try:
        request = add_route(3, "net1", Route("::/0", "", 0, 0, priority, table, scope), "")
    except BadInput:
        return
    assert request.body


@given(st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_datagram_is_split_without_error(data: bytes) -> None:
    """A torn or foreign datagram gives fewer messages, never an exception."""
    for message in messages(data):
        attributes(message.payload)
