"""The links of the host by all their names, and how they stand on each other.

Read apart from `links`: alternative names and VLANs are of no use on the path of ADD and DEL.
Layouts: linux/if_link.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from cni.net.addresses import default_device, get_routes
from cni.net.links import RTM_NEWLINK, get_links
from cni.net.netlink import as_text, as_u32, attributes, each_attribute
from cni.net.workers import Worker

_INFO_BYTES = 16
_INDEX = struct.Struct("=4xi8x")
_U16 = struct.Struct("=H")
_IFLA_ADDRESS = 1
_IFLA_IFNAME = 3
_IFLA_LINK = 5
_IFLA_MASTER = 10
_IFLA_LINKINFO = 18
_IFLA_LINK_NETNSID = 37
_IFLA_PROP_LIST = 52
_IFLA_ALT_IFNAME = 53
_IFLA_INFO_KIND = 1
_IFLA_INFO_DATA = 2
_IFLA_VLAN_ID = 1
_READ = frozenset(
    {
        _IFLA_ADDRESS,
        _IFLA_IFNAME,
        _IFLA_LINK,
        _IFLA_MASTER,
        _IFLA_LINKINFO,
        _IFLA_LINK_NETNSID,
        _IFLA_PROP_LIST,
    }
)


@dataclass(frozen=True, slots=True)
class HostLink:
    """One link.

    Attributes:
        names: its name, then its alternative names.
        parent: index of the lower device or of the veth peer, 0 where there is none here.
        master: index of the bridge or bond that it is a port of, 0 without.
        vlan: of a VLAN interface its id, else 0.
    """

    index: int
    names: tuple[str, ...]
    kind: str = ""
    mac: str = ""
    parent: int = 0
    master: int = 0
    vlan: int = 0


def read_host_links(worker: Worker) -> tuple[HostLink, ...]:
    """Read all links of the host.

    Raises:
        PlanesError: the kernel refuses.
    """
    found = worker.host.dump(get_links())
    return tuple(
        read_link_message(message.payload) for message in found if message.kind == RTM_NEWLINK
    )


def read_default_link(worker: Worker) -> int:
    """Give the index of the link that the host's first default route goes out of; 0 without one.

    Raises:
        PlanesError: the kernel refuses.
    """
    for version in (4, 6):
        index = default_device(worker.host.dump(get_routes(version)))
        if index:
            return index
    return 0


def read_link_message(payload: memoryview) -> HostLink:
    """Read the payload of one RTM_NEWLINK message."""
    (index,) = _INDEX.unpack_from(payload)
    found = attributes(payload[_INFO_BYTES:], _READ)
    info = attributes(found[_IFLA_LINKINFO]) if _IFLA_LINKINFO in found else {}
    kind = as_text(info[_IFLA_INFO_KIND]) if _IFLA_INFO_KIND in info else ""
    data = attributes(info[_IFLA_INFO_DATA]) if _IFLA_INFO_DATA in info else {}
    is_vlan = kind == "vlan" and _IFLA_VLAN_ID in data
    parent = as_u32(found[_IFLA_LINK]) if _IFLA_LINK in found else 0
    return HostLink(
        index=index,
        names=(as_text(found[_IFLA_IFNAME]), *_alternative(found.get(_IFLA_PROP_LIST))),
        kind=kind,
        mac=bytes(found[_IFLA_ADDRESS]).hex(":") if _IFLA_ADDRESS in found else "",
        parent=0 if _IFLA_LINK_NETNSID in found else parent,
        master=as_u32(found[_IFLA_MASTER]) if _IFLA_MASTER in found else 0,
        vlan=_U16.unpack_from(data[_IFLA_VLAN_ID])[0] if is_vlan else 0,
    )


def _alternative(properties: memoryview | None) -> Iterator[str]:
    if properties is not None:
        for kind, payload in each_attribute(properties):
            if kind == _IFLA_ALT_IFNAME:
                yield as_text(payload)
