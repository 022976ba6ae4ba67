"""The links of the host with all their names, parents, masters and VLANs.

Apart from `cni.net.links`: ADD and DEL need neither alternative names nor VLANs.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from cni.net.addresses import default_device, get_routes
from cni.net.if_link import (
    IFLA_ADDRESS,
    IFLA_ALT_IFNAME,
    IFLA_IFNAME,
    IFLA_INFO_DATA,
    IFLA_INFO_KIND,
    IFLA_LINK,
    IFLA_LINK_NETNSID,
    IFLA_LINKINFO,
    IFLA_MASTER,
    IFLA_PROP_LIST,
    IFLA_VLAN_ID,
    INFO,
    RTM_NEWLINK,
)
from cni.net.links import get_links
from cni.net.netlink import as_text, as_u32, attributes, each_attribute
from cni.net.workers import Worker

_U16 = struct.Struct("=H")
_READ = frozenset(
    {
        IFLA_ADDRESS,
        IFLA_IFNAME,
        IFLA_LINK,
        IFLA_MASTER,
        IFLA_LINKINFO,
        IFLA_LINK_NETNSID,
        IFLA_PROP_LIST,
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
    """Return the index of the link of the host's first default route; 0 without one.

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
    _family, _type, index, _flags, _change = INFO.unpack_from(payload)
    found = attributes(payload[INFO.size :], _READ)
    info = attributes(found[IFLA_LINKINFO]) if IFLA_LINKINFO in found else {}
    kind = as_text(info[IFLA_INFO_KIND]) if IFLA_INFO_KIND in info else ""
    data = attributes(info[IFLA_INFO_DATA]) if IFLA_INFO_DATA in info else {}
    is_vlan = kind == "vlan" and IFLA_VLAN_ID in data
    parent = as_u32(found[IFLA_LINK]) if IFLA_LINK in found else 0
    return HostLink(
        index=index,
        names=(as_text(found[IFLA_IFNAME]), *_alternative(found.get(IFLA_PROP_LIST))),
        kind=kind,
        mac=bytes(found[IFLA_ADDRESS]).hex(":") if IFLA_ADDRESS in found else "",
        parent=0 if IFLA_LINK_NETNSID in found else parent,
        master=as_u32(found[IFLA_MASTER]) if IFLA_MASTER in found else 0,
        vlan=_U16.unpack_from(data[IFLA_VLAN_ID])[0] if is_vlan else 0,
    )


def _alternative(properties: memoryview | None) -> Iterator[str]:
    if properties is not None:
        for kind, payload in each_attribute(properties):
            if kind == IFLA_ALT_IFNAME:
                yield as_text(payload)
