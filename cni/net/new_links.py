"""The requests that make links.

One request creates a veth pair with its peer already named, sized and placed in the sandbox, or an
interface on a master (macvlan, ipvlan, vlan) in its final namespace under its final name. It is
sent in the namespace of the master.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, replace
from functools import partial

from cni.net.if_link import (
    IFF_UP,
    IFLA_ADDRESS,
    IFLA_BR_VLAN_FILTERING,
    IFLA_IFNAME,
    IFLA_INFO_DATA,
    IFLA_INFO_KIND,
    IFLA_IPVLAN_FLAGS,
    IFLA_IPVLAN_MODE,
    IFLA_LINK,
    IFLA_LINKINFO,
    IFLA_MACVLAN_BC_QUEUE_LEN,
    IFLA_MACVLAN_MODE,
    IFLA_MASTER,
    IFLA_MTU,
    IFLA_NET_NS_FD,
    IFLA_VLAN_ID,
    IFLA_VLAN_PROTOCOL,
    IFLA_VRF_TABLE,
    RTM_NEWLINK,
    VETH_INFO_PEER,
    link_body,
    mac_bytes,
)
from cni.net.links import Link
from cni.net.netlink import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    Explain,
    NetlinkRequest,
    attribute,
    nested,
    text,
    u8,
    u16,
    u32,
)
from cni.net.refusals import (
    MODE_PASSTHRU,
    why_no_ipvlan,
    why_no_kind,
    why_no_macvlan,
    why_no_vlan,
    why_no_vlans,
)

MACVLAN_MODES = {"private": 1, "vepa": 2, "bridge": 4, "passthru": MODE_PASSTHRU}
IPVLAN_MODES = {"l2": 0, "l3": 1, "l3s": 2}
_8021Q = b"\x81\x00"  # ETH_P_8021Q in network byte order


@dataclass(frozen=True, slots=True)
class Placement:
    """The namespace, name, MAC and MTU of a new interface.

    Attributes:
        netns_fd: of its namespace; negative for the one in which the request is sent.
    """

    name: str
    netns_fd: int
    mac: str = ""
    mtu: int = 0

    def attributes(self) -> bytes:
        """Encode; MAC and MTU only where given."""
        parts = [text(IFLA_IFNAME, self.name)]
        if self.netns_fd >= 0:
            parts.append(u32(IFLA_NET_NS_FD, self.netns_fd))
        if self.mac:
            parts.append(attribute(IFLA_ADDRESS, mac_bytes(self.mac)))
        if self.mtu:
            parts.append(u32(IFLA_MTU, self.mtu))
        return b"".join(parts)


def new_macvlan(
    to: Placement, *, master: Link, mode: int, bc_queue_length: int = 0
) -> NetlinkRequest:
    """Create a macvlan in the sandbox; sent in the namespace of its master."""
    data = [u32(IFLA_MACVLAN_MODE, mode)]
    if bc_queue_length:
        data.append(u32(IFLA_MACVLAN_BC_QUEUE_LEN, bc_queue_length))
    action = f"create macvlan {to.name} on {master.name}"
    why = partial(why_no_macvlan, action=action, master=master.name, mode=mode)
    return _on_master(to, master, "macvlan", data, why)


def new_ipvlan(to: Placement, *, master: Link, mode: int) -> NetlinkRequest:
    """Create an ipvlan in the sandbox; the kernel gives all ipvlans of a master its mode."""
    data = [u16(IFLA_IPVLAN_MODE, mode), u16(IFLA_IPVLAN_FLAGS, 0)]
    action = f"create ipvlan {to.name} on {master.name}"
    why = partial(why_no_ipvlan, action=action, master=master.name)
    return _on_master(to, master, "ipvlan", data, why)


def new_vlan(to: Placement, *, master: Link, vlan: int) -> NetlinkRequest:
    """Create an 802.1Q VLAN interface in the sandbox; a master has each VLAN once."""
    data = [u16(IFLA_VLAN_ID, vlan), attribute(IFLA_VLAN_PROTOCOL, _8021Q)]
    action = f"create vlan {to.name} on {master.name}"
    why = partial(why_no_vlan, action=action, master=master.name, vlan=vlan)
    return _on_master(to, master, "vlan", data, why)


def new_vrf(name: str, table: int) -> NetlinkRequest:
    """Create a VRF where the request is sent, up, with its routing table."""
    body = link_body(flags=IFF_UP, change=IFF_UP) + text(IFLA_IFNAME, name)
    data = nested(IFLA_INFO_DATA, u32(IFLA_VRF_TABLE, table))
    body += nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, "vrf"), data)
    return _making(body, f"create VRF {name} with table {table}", "vrf")


def new_veth(to: Placement, *, host_name: str, bridge: Link | None = None) -> NetlinkRequest:
    """Create a pair: one end in the sandbox, the other here and up, a port of the bridge if any."""
    body = link_body(flags=IFF_UP, change=IFF_UP) + text(IFLA_IFNAME, host_name)
    if bridge is not None:
        body += u32(IFLA_MASTER, bridge.index)
    if to.mtu:
        body += u32(IFLA_MTU, to.mtu)
    peer = attribute(VETH_INFO_PEER, link_body() + to.attributes())
    body += nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, "veth"), nested(IFLA_INFO_DATA, peer))
    where = f" on bridge {bridge.name}" if bridge is not None else ""
    return _making(body, f"create veth {to.name}{where}", "veth")


def new_dummy(to: Placement) -> NetlinkRequest:
    """Create a dummy interface in the sandbox."""
    body = link_body() + to.attributes()
    body += nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, "dummy"))
    return _making(body, f"create dummy {to.name}", "dummy")


def new_bridge(
    name: str, mtu: int = 0, mac: str = "", *, is_filtering: bool = False
) -> NetlinkRequest:
    """Create a bridge; one that is there already is fine. Without a MAC it follows its ports'.

    Args:
        name: of the bridge.
        mtu: in bytes; 0 leaves it to the kernel.
        mac: "" leaves it to the kernel.
        is_filtering: whether it keeps VLANs apart.
    """
    body = link_body() + text(IFLA_IFNAME, name)
    if mac:
        body += attribute(IFLA_ADDRESS, mac_bytes(mac))
    if mtu:
        body += u32(IFLA_MTU, mtu)
    data = [nested(IFLA_INFO_DATA, u8(IFLA_BR_VLAN_FILTERING, 1))] if is_filtering else []
    body += nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, "bridge"), *data)
    action = f"create bridge {name}"
    made = replace(_making(body, action, "bridge"), tolerate=frozenset({errno.EEXIST}))
    return replace(made, explain=partial(why_no_vlans, action=action)) if is_filtering else made


def _on_master(
    to: Placement, master: Link, kind: str, data: list[bytes], why: Explain
) -> NetlinkRequest:
    info = nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, kind), nested(IFLA_INFO_DATA, *data))
    body = link_body() + to.attributes() + u32(IFLA_LINK, master.index) + info
    action = f"create {kind} {to.name} on {master.name}"
    return NetlinkRequest(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body, action, explain=why)


def _making(body: bytes, action: str, kind: str) -> NetlinkRequest:
    why = partial(why_no_kind, action=action, kind=kind)
    return NetlinkRequest(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body, action, explain=why)
