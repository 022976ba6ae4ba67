"""Links: the requests that make, change and remove them, and what a link is when read back.

One request creates a veth pair with its peer already named, sized and placed in the sandbox, or a
macvlan in its final namespace under its final name. Layouts: linux/if_link.h, linux/if_bridge.h.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from cni.net.netlink import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    Message,
    Request,
    as_text,
    as_u32,
    attribute,
    attributes,
    nested,
    text,
    u8,
    u32,
)

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19

IFF_UP = 0x1
IFF_PROMISC = 0x100

OPERSTATE_UP = 6

_INFO = struct.Struct("=BxHiII")
_AF_BRIDGE = 7
_IFLA_ADDRESS = 1
_IFLA_IFNAME = 3
_IFLA_MTU = 4
_IFLA_LINK = 5
_IFLA_MASTER = 10
_IFLA_PROTINFO = 12
_IFLA_OPERSTATE = 16
_IFLA_LINKINFO = 18
_IFLA_GROUP = 27
_IFLA_NET_NS_FD = 28
_IFLA_EXT_MASK = 29
_IFLA_LINK_NETNSID = 37
_IFLA_INFO_KIND = 1
_IFLA_INFO_DATA = 2
_VETH_INFO_PEER = 1
_IFLA_MACVLAN_MODE = 1
_IFLA_MACVLAN_BC_QUEUE_LEN = 7
_IFLA_BRPORT_MODE = 4
_IFLA_BRPORT_ISOLATED = 33
_READ = frozenset(
    {
        _IFLA_ADDRESS,
        _IFLA_IFNAME,
        _IFLA_MTU,
        _IFLA_LINK,
        _IFLA_MASTER,
        _IFLA_OPERSTATE,
        _IFLA_LINKINFO,
        _IFLA_GROUP,
        _IFLA_LINK_NETNSID,
    }
)
_NLA_F_NESTED = 0x8000
_RTEXT_FILTER_SKIP_STATS = 0x8

_GONE = frozenset({errno.ENODEV, errno.ENXIO})

MACVLAN_MODES = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}


@dataclass(frozen=True, slots=True)
class Link:
    """A link as the kernel tells it.

    Attributes:
        parent: index of the lower device or of the veth peer (IFLA_LINK), 0 without.
        is_parent_elsewhere: True where `parent` counts in another namespace.
        data: kind-specific number: the mode of a macvlan, else 0.
    """

    index: int
    name: str
    mac: str
    mtu: int
    flags: int
    kind: str
    master: int
    group: int
    operstate: int
    parent: int
    is_parent_elsewhere: bool
    data: int = 0

    @property
    def is_up(self) -> bool:
        """True where the link is administratively up."""
        return bool(self.flags & IFF_UP)


def _info(*, index: int = 0, flags: int = 0, change: int = 0, family: int = 0) -> bytes:
    return _INFO.pack(family, 0, index, flags, change)


def mac_bytes(mac: str) -> bytes:
    """Give a checked MAC as bytes."""
    return bytes.fromhex(mac.replace(":", "").replace("-", "").replace(".", ""))


_WITHOUT_STATISTICS = u32(_IFLA_EXT_MASK, _RTEXT_FILTER_SKIP_STATS)  # a third of the answer


def get_link(name: str) -> Request:
    """Ask for one link by name."""
    body = _info() + text(_IFLA_IFNAME, name) + _WITHOUT_STATISTICS
    return Request(RTM_GETLINK, 0, body, f"find link {name}")


def find_link(name: str) -> Request:
    """Ask for one link by name; no answer where there is none."""
    body = _info() + text(_IFLA_IFNAME, name) + _WITHOUT_STATISTICS
    return Request(RTM_GETLINK, 0, body, f"find link {name}", _GONE)


def get_links() -> Request:
    """Ask for all links; for `Channel.dump`."""
    return Request(RTM_GETLINK, 0, _info() + _WITHOUT_STATISTICS, "list links")


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a new sandbox interface goes and what it looks like there."""

    name: str
    netns_fd: int
    mac: str = ""
    mtu: int = 0

    def attributes(self) -> bytes:
        """Encode; MAC and MTU only where given."""
        parts = [text(_IFLA_IFNAME, self.name), u32(_IFLA_NET_NS_FD, self.netns_fd)]
        if self.mac:
            parts.append(attribute(_IFLA_ADDRESS, mac_bytes(self.mac)))
        if self.mtu:
            parts.append(u32(_IFLA_MTU, self.mtu))
        return b"".join(parts)


def new_macvlan(to: Placement, *, master: Link, mode: int, bc_queue_length: int = 0) -> Request:
    """Create a macvlan in the sandbox; sent in the namespace of its master."""
    data = [u32(_IFLA_MACVLAN_MODE, mode)]
    if bc_queue_length:
        data.append(u32(_IFLA_MACVLAN_BC_QUEUE_LEN, bc_queue_length))
    body = (
        _info()
        + to.attributes()
        + u32(_IFLA_LINK, master.index)
        + nested(_IFLA_LINKINFO, text(_IFLA_INFO_KIND, "macvlan"), nested(_IFLA_INFO_DATA, *data))
    )
    action = f"create macvlan {to.name} on {master.name}"
    return Request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body, action)


def new_veth(to: Placement, *, host_name: str, bridge: Link) -> Request:
    """Create a pair: one end in the sandbox, the other here, up and a port of the bridge."""
    body = _info(flags=IFF_UP, change=IFF_UP) + text(_IFLA_IFNAME, host_name)
    body += u32(_IFLA_MASTER, bridge.index)
    if to.mtu:
        body += u32(_IFLA_MTU, to.mtu)
    peer = attribute(_VETH_INFO_PEER, _info() + to.attributes())
    body += nested(_IFLA_LINKINFO, text(_IFLA_INFO_KIND, "veth"), nested(_IFLA_INFO_DATA, peer))
    action = f"create veth {to.name} on bridge {bridge.name}"
    return Request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body, action)


def new_bridge(name: str, mtu: int = 0, mac: str = "") -> Request:
    """Create a bridge; one that is there already is fine. Without a MAC it follows its ports'."""
    body = _info() + text(_IFLA_IFNAME, name)
    if mac:
        body += attribute(_IFLA_ADDRESS, mac_bytes(mac))
    if mtu:
        body += u32(_IFLA_MTU, mtu)
    body += nested(_IFLA_LINKINFO, text(_IFLA_INFO_KIND, "bridge"))
    flags = NLM_F_CREATE | NLM_F_EXCL
    return Request(RTM_NEWLINK, flags, body, f"create bridge {name}", frozenset({errno.EEXIST}))


def set_flags(link: Link, flags: int, *, clear: int = 0) -> Request:
    """Set and clear interface flags (IFF_UP, IFF_PROMISC)."""
    body = _info(index=link.index, flags=flags, change=flags | clear)
    verb = "bring up" if flags & IFF_UP else "change the flags of"
    return Request(RTM_NEWLINK, 0, body, f"{verb} {link.name}")


def set_mac(link: Link, mac: str) -> Request:
    """Write the MAC; writing a bridge's own MAC pins it, so it stops following its ports."""
    body = _info(index=link.index) + attribute(_IFLA_ADDRESS, mac_bytes(mac))
    return Request(RTM_NEWLINK, 0, body, f"set the MAC of {link.name} to {mac}")


def set_bridge_port(link: Link, *, is_hairpin: bool, is_isolated: bool) -> Request:
    """Write the port options that the kernel ignores while a veth is being created."""
    options = [u8(_IFLA_BRPORT_MODE, int(is_hairpin))]
    if is_isolated:
        options.append(u8(_IFLA_BRPORT_ISOLATED, 1))
    body = _info(index=link.index, family=_AF_BRIDGE)
    body += nested(_IFLA_PROTINFO | _NLA_F_NESTED, *options)
    return Request(RTM_SETLINK, 0, body, f"set the bridge port options of {link.name}")


def rename(link: Link, name: str) -> Request:
    """Rename a link that is down."""
    body = _info(index=link.index) + text(_IFLA_IFNAME, name)
    return Request(RTM_NEWLINK, 0, body, f"rename {link.name} to {name}")


def set_group(name: str, group: int) -> Request:
    """Put a link into a group; one that is gone is fine."""
    body = _info() + text(_IFLA_IFNAME, name) + u32(_IFLA_GROUP, group)
    return Request(RTM_NEWLINK, 0, body, f"group link {name}", _GONE)


def delete_group(group: int) -> Request:
    """Remove all links of a group at once; an empty group is fine."""
    body = _info() + u32(_IFLA_GROUP, group)
    return Request(RTM_DELLINK, 0, body, "remove links as a group", _GONE)


def delete_link(name: str) -> Request:
    """Remove one link; one that is gone is fine."""
    return Request(RTM_DELLINK, 0, _info() + text(_IFLA_IFNAME, name), f"remove link {name}", _GONE)


def read_links(found: Iterable[Message]) -> list[Link]:
    """Read answers to `get_link` and `get_links`."""
    return [_read_link(message.payload) for message in found if message.kind == RTM_NEWLINK]


def _read_link(payload: memoryview) -> Link:
    _family, _type, index, flags, _change = _INFO.unpack_from(payload)
    found = attributes(payload[_INFO.size :], _READ)
    info = attributes(found[_IFLA_LINKINFO]) if _IFLA_LINKINFO in found else {}
    kind = as_text(info[_IFLA_INFO_KIND]) if _IFLA_INFO_KIND in info else ""
    data = attributes(info[_IFLA_INFO_DATA]) if _IFLA_INFO_DATA in info else {}
    is_macvlan = kind == "macvlan" and _IFLA_MACVLAN_MODE in data

    def number(key: int) -> int:
        return as_u32(found[key]) if key in found else 0

    return Link(
        index=index,
        name=as_text(found[_IFLA_IFNAME]),
        mac=bytes(found[_IFLA_ADDRESS]).hex(":") if _IFLA_ADDRESS in found else "",
        mtu=number(_IFLA_MTU),
        flags=flags,
        kind=kind,
        master=number(_IFLA_MASTER),
        group=number(_IFLA_GROUP),
        operstate=found[_IFLA_OPERSTATE][0] if _IFLA_OPERSTATE in found else 0,
        parent=number(_IFLA_LINK),
        is_parent_elsewhere=_IFLA_LINK_NETNSID in found,
        data=as_u32(data[_IFLA_MACVLAN_MODE]) if is_macvlan else 0,
    )
