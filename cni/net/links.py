"""Links as the kernel shows them, and the requests that ask for them.

Made by `cni.net.new_links`, changed and removed by `cni.net.link_changes`.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from sys import byteorder
from typing import Final

from cni.net.if_link import (
    GONE,
    IFF_LOWER_UP,
    IFF_UP,
    IFLA_ADDRESS,
    IFLA_ALT_IFNAME,
    IFLA_EXT_MASK,
    IFLA_GROUP,
    IFLA_IFNAME,
    IFLA_INFO_DATA,
    IFLA_INFO_KIND,
    IFLA_IPVLAN_MODE,
    IFLA_LINK,
    IFLA_LINK_NETNSID,
    IFLA_LINKINFO,
    IFLA_MACVLAN_MODE,
    IFLA_MASTER,
    IFLA_MTU,
    IFLA_OPERSTATE,
    IFLA_VLAN_ID,
    IFLA_VRF_TABLE,
    INFO,
    OPERSTATE_UNKNOWN,
    RTEXT_FILTER_SKIP_STATS,
    RTM_GETLINK,
    RTM_NEWLINK,
    link_body,
)
from cni.net.netlink import Message, NetlinkRequest, as_text, attributes, text, u32

_LONGEST_NAME = 15
_READ = frozenset(
    {
        IFLA_ADDRESS,
        IFLA_IFNAME,
        IFLA_MTU,
        IFLA_LINK,
        IFLA_MASTER,
        IFLA_OPERSTATE,
        IFLA_LINKINFO,
        IFLA_GROUP,
        IFLA_LINK_NETNSID,
    }
)
_DATA: Final[Mapping[str, int]] = {
    "ipvlan": IFLA_IPVLAN_MODE,
    "macvlan": IFLA_MACVLAN_MODE,
    "vlan": IFLA_VLAN_ID,
    "vrf": IFLA_VRF_TABLE,
}
"""By kind of a link: the attribute that `Link.data` is read from."""
_WITHOUT_STATISTICS = u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)  # a third of the answer
_ANY = link_body()
_ABSENT = memoryview(b"")


@dataclass(frozen=True, slots=True)
class Link:
    """A link as the kernel shows it.

    Attributes:
        parent: index of the lower device or of the veth peer (IFLA_LINK), 0 without.
        is_parent_elsewhere: whether `parent` is an index of another namespace.
        data: kind-specific number: the mode of a macvlan or ipvlan, the VLAN of a vlan, the table
            of a vrf, else 0.
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
        """Report whether the link is administratively up."""
        return bool(self.flags & IFF_UP)

    @property
    def has_carrier(self) -> bool:
        """Report whether frames can pass once it is up; also where the driver does not know."""
        return bool(self.flags & IFF_LOWER_UP) or self.operstate == OPERSTATE_UNKNOWN


def get_link(name: str) -> NetlinkRequest:
    """Ask for one link by name."""
    body = _ANY + text(IFLA_IFNAME, name) + _WITHOUT_STATISTICS
    return NetlinkRequest(RTM_GETLINK, 0, body, f"find link {name}")


def find_link(name: str) -> NetlinkRequest:
    """Ask for one link by its name or an alternative name; no answer where there is none."""
    is_long = len(name.encode()) > _LONGEST_NAME
    key = IFLA_ALT_IFNAME if is_long else IFLA_IFNAME
    body = _ANY + text(key, name) + _WITHOUT_STATISTICS
    # Kernels before 5.5 know no alternative names.
    gone = GONE | {errno.EINVAL} if is_long else GONE
    return NetlinkRequest(RTM_GETLINK, 0, body, f"find link {name}", gone)


def get_link_at(index: int) -> NetlinkRequest:
    """Ask for one link by index; no answer where there is none."""
    body = link_body(index=index) + _WITHOUT_STATISTICS
    return NetlinkRequest(RTM_GETLINK, 0, body, f"find link {index}", GONE)


def get_ports(master: Link) -> NetlinkRequest:
    """Ask for the ports of a bridge or bond; for `Channel.dump`. Old kernels answer with more."""
    body = _ANY + u32(IFLA_MASTER, master.index) + _WITHOUT_STATISTICS
    return NetlinkRequest(RTM_GETLINK, 0, body, f"list ports of {master.name}")


def get_links() -> NetlinkRequest:
    """Ask for all links; for `Channel.dump`."""
    return NetlinkRequest(RTM_GETLINK, 0, _ANY + _WITHOUT_STATISTICS, "list links")


def read_links(found: Iterable[Message]) -> list[Link]:
    """Read answers to `get_link` and `get_links`."""
    return [_read_link(message.payload) for message in found if message.kind == RTM_NEWLINK]


def _read_link(payload: memoryview) -> Link:
    _family, _type, index, flags, _change = INFO.unpack_from(payload)
    found = attributes(payload[INFO.size :], _READ)
    kind, data = _kind_and_data(found[IFLA_LINKINFO]) if IFLA_LINKINFO in found else ("", 0)
    # `int.from_bytes` of nothing is 0.
    return Link(
        index,
        as_text(found[IFLA_IFNAME]),
        found.get(IFLA_ADDRESS, _ABSENT).hex(":"),
        int.from_bytes(found.get(IFLA_MTU, _ABSENT), byteorder),
        flags,
        kind,
        int.from_bytes(found.get(IFLA_MASTER, _ABSENT), byteorder),
        int.from_bytes(found.get(IFLA_GROUP, _ABSENT), byteorder),
        int.from_bytes(found.get(IFLA_OPERSTATE, _ABSENT), byteorder),
        int.from_bytes(found.get(IFLA_LINK, _ABSENT), byteorder),
        IFLA_LINK_NETNSID in found,
        data,
    )


def _kind_and_data(info: memoryview) -> tuple[str, int]:
    """Return the kind of a link, and the number of that kind that is read (`Link.data`)."""
    found = attributes(info)
    kind = as_text(found[IFLA_INFO_KIND]) if IFLA_INFO_KIND in found else ""
    key = _DATA.get(kind)  # a bridge has 40 numbers there, which nobody needs
    if key is None or IFLA_INFO_DATA not in found:
        return kind, 0
    data = attributes(found[IFLA_INFO_DATA])
    return kind, int.from_bytes(data.get(key, _ABSENT), byteorder)
