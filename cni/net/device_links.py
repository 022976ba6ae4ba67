"""Links of hardware as the kernel shows them, and the requests that move them between namespaces.

A device is recognised by what the kernel says of its hardware, since a pod may rename its links,
and change their aliases and MACs. Sources: linux/if_link.h; `dev_change_net_namespace` of Linux.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cni.net.channel import Channel
from cni.net.if_link import (
    IFF_UP,
    IFLA_ADDRESS,
    IFLA_EXT_MASK,
    IFLA_IFNAME,
    IFLA_INFO_KIND,
    IFLA_LINK,
    IFLA_LINK_NETNSID,
    IFLA_LINKINFO,
    IFLA_MASTER,
    IFLA_MTU,
    IFLA_NET_NS_FD,
    INFO,
    RTEXT_FILTER_SKIP_STATS,
    RTM_GETLINK,
    RTM_NEWLINK,
    link_body,
    mac_bytes,
)
from cni.net.links import find_link, get_link_at
from cni.net.netlink import (
    Message,
    NetlinkRequest,
    as_text,
    as_u32,
    attribute,
    attributes,
    text,
    u32,
)

IFLA_IFALIAS: Final = 20
_IFLA_PHYS_PORT_NAME: Final = 38
_IFLA_PARENT_DEV_NAME: Final = 56
_READ: Final = frozenset(
    {
        IFLA_ADDRESS,
        IFLA_IFNAME,
        IFLA_MTU,
        IFLA_MASTER,
        IFLA_LINK,
        IFLA_LINK_NETNSID,
        IFLA_LINKINFO,
        IFLA_IFALIAS,
        _IFLA_PHYS_PORT_NAME,
        _IFLA_PARENT_DEV_NAME,
    }
)
_WITHOUT_WAY: Final = frozenset({"", "dummy", "ifb"})
"""Kinds of links through which a pod that makes one reaches nothing; "" is that of hardware."""
_WITHOUT_STATISTICS: Final = u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)


@dataclass(frozen=True, slots=True)
class DeviceLink:
    """A link with what identifies its hardware.

    Attributes:
        alias: IFLA_IFALIAS; the reference plugin keeps the host's name of a moved device in it.
        hardware: name of the device on its bus (a PCI address) and of the port of it; "" for a
            link without hardware, and on kernels before 5.14.
        master: index of the bridge or bond that it is a port of, 0 without.
        parent: index of the lower device or of the veth peer (IFLA_LINK), 0 without.
        parent_netns: number that the link's namespace has for that of the parent, or for that in
            which a tunnel was made; -1 where it is the same. A pod has none for the host's.
    """

    index: int
    name: str
    mac: str = ""
    mtu: int = 0
    flags: int = 0
    kind: str = ""
    alias: str = ""
    hardware: str = ""
    master: int = 0
    parent: int = 0
    parent_netns: int = -1

    @property
    def is_up(self) -> bool:
        """Report whether the link is administratively up."""
        return bool(self.flags & IFF_UP)

    @property
    def origin(self) -> str:
        """Return what a pod cannot give to a link without hardware that it makes by itself."""
        return f"{self.kind} {self.parent} {self.parent_netns}"

    @property
    def may_be_of_host(self) -> bool:
        """Report whether a link of a sandbox may come from the host: a pod makes others itself."""
        return self.kind in _WITHOUT_WAY or self.parent_netns >= 0


def find_device(channel: Channel, name: str) -> DeviceLink | None:
    """Return the link of a name or an alternative name, None where there is none.

    Raises:
        PlanesError: the kernel refuses.
    """
    return next(iter(_read(channel.batch([find_link(name)])[0])), None)


def device_at(channel: Channel, index: int) -> DeviceLink | None:
    """Return the link of an index, None where there is none.

    Raises:
        PlanesError: the kernel refuses.
    """
    return next(iter(_read(channel.batch([get_link_at(index)])[0])), None)


def list_devices(channel: Channel) -> tuple[DeviceLink, ...]:
    """Return all links.

    Raises:
        PlanesError: the kernel refuses.
    """
    body = link_body() + _WITHOUT_STATISTICS
    return tuple(_read(channel.dump(NetlinkRequest(RTM_GETLINK, 0, body, "list links"))))


def _read(found: Iterable[Message]) -> Iterable[DeviceLink]:
    for message in found:
        if message.kind == RTM_NEWLINK:
            yield _read_device(message.payload)


def _read_device(payload: memoryview) -> DeviceLink:
    _family, _type, index, flags, _change = INFO.unpack_from(payload)
    found = attributes(payload[INFO.size :], _READ)
    info = attributes(found[IFLA_LINKINFO]) if IFLA_LINKINFO in found else {}

    def words(key: int) -> str:
        return as_text(found[key]) if key in found else ""

    hardware = words(_IFLA_PARENT_DEV_NAME)
    return DeviceLink(
        index=index,
        name=words(IFLA_IFNAME),
        mac=bytes(found[IFLA_ADDRESS]).hex(":") if IFLA_ADDRESS in found else "",
        mtu=as_u32(found[IFLA_MTU]) if IFLA_MTU in found else 0,
        flags=flags,
        kind=as_text(info[IFLA_INFO_KIND]) if IFLA_INFO_KIND in info else "",
        alias=words(IFLA_IFALIAS),
        hardware=f"{hardware} {words(_IFLA_PHYS_PORT_NAME)}".strip() if hardware else "",
        master=as_u32(found[IFLA_MASTER]) if IFLA_MASTER in found else 0,
        parent=as_u32(found[IFLA_LINK]) if IFLA_LINK in found else 0,
        parent_netns=as_u32(found[IFLA_LINK_NETNSID]) if IFLA_LINK_NETNSID in found else -1,
    )


def move_device(link: DeviceLink, netns_fd: int, name: str, alias: str = "") -> NetlinkRequest:
    """Move a link into a namespace under a name, and set its alias; one step of the kernel.

    The kernel takes the link down, and removes its addresses and routes.
    """
    body = link_body(index=link.index) + u32(IFLA_NET_NS_FD, netns_fd) + text(IFLA_IFNAME, name)
    if alias:
        body += attribute(IFLA_IFALIAS, alias.encode())
    return NetlinkRequest(RTM_NEWLINK, 0, body, f"move device {link.name} to {name}")


def take_down(link: DeviceLink) -> NetlinkRequest:
    """Take a link down."""
    return NetlinkRequest(
        RTM_NEWLINK, 0, link_body(index=link.index, change=IFF_UP), f"take down {link.name}"
    )


def bring_device_up(link: DeviceLink) -> NetlinkRequest:
    """Bring a link up."""
    body = link_body(index=link.index, flags=IFF_UP, change=IFF_UP)
    return NetlinkRequest(RTM_NEWLINK, 0, body, f"bring up {link.name}")


def rename_device(link: DeviceLink, name: str) -> NetlinkRequest:
    """Rename a link that is down."""
    body = link_body(index=link.index) + text(IFLA_IFNAME, name)
    return NetlinkRequest(RTM_NEWLINK, 0, body, f"rename {link.name} to {name}")


def set_alias(link: DeviceLink, alias: str) -> NetlinkRequest:
    """Set the alias of a link; "" removes it."""
    body = link_body(index=link.index) + attribute(IFLA_IFALIAS, alias.encode())
    return NetlinkRequest(RTM_NEWLINK, 0, body, f"set the alias of {link.name}")


def set_device_mac(link: DeviceLink, mac: str) -> NetlinkRequest:
    """Write the MAC of a link."""
    body = link_body(index=link.index) + attribute(IFLA_ADDRESS, mac_bytes(mac))
    return NetlinkRequest(RTM_NEWLINK, 0, body, f"set the MAC of {link.name} to {mac}")


def set_device_mtu(link: DeviceLink, mtu: int) -> NetlinkRequest:
    """Write the MTU of a link, in bytes."""
    body = link_body(index=link.index) + u32(IFLA_MTU, mtu)
    return NetlinkRequest(RTM_NEWLINK, 0, body, f"set the MTU of {link.name} to {mtu}")


def set_master(link: DeviceLink, master: int) -> NetlinkRequest:
    """Make a link a port of a bridge or bond, by its index."""
    body = link_body(index=link.index) + u32(IFLA_MASTER, master)
    return NetlinkRequest(RTM_NEWLINK, 0, body, f"make {link.name} a port again")
