"""VLANs of a bridge port: which ones it carries, and the requests that write them.

As in the reference plugins an access VLAN is untagged on the port, those of a trunk are tagged; a
trunk without one has VLAN 1 untagged. Layouts: linux/if_bridge.h, `struct bridge_vlan_info`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import partial
from typing import Final

from cni.net.if_link import (
    AF_BRIDGE,
    IFLA_AF_SPEC,
    IFLA_BRIDGE_VLAN_INFO,
    RTM_DELLINK,
    RTM_SETLINK,
    link_body,
)
from cni.net.links import Link
from cni.net.netlink import NetlinkRequest, attribute, nested
from cni.net.refusals import why_no_vlans

MAX_VLAN: Final = 4094

_INFO: Final = struct.Struct("=HH")
_PVID_UNTAGGED: Final = 0x2 | 0x4
_RANGE_BEGIN: Final = 0x8
_RANGE_END: Final = 0x10
_NATIVE: Final = 1


@dataclass(frozen=True, slots=True)
class PortVlans:
    """The VLANs of a port.

    Attributes:
        access: the VLAN of its untagged frames, 0 for none.
        trunk: its tagged VLANs as ranges (first, last), ascending and apart.
        keeps_default: whether the port keeps the VLAN that the bridge gives each port.
        makes_filter: whether a bridge that is made for it keeps VLANs apart.
    """

    access: int = 0
    trunk: tuple[tuple[int, int], ...] = ()
    keeps_default: bool = False
    makes_filter: bool = False

    def access_only(self) -> PortVlans:
        """Return those of the port that leads to the gateway of the access VLAN."""
        return PortVlans(self.access, keeps_default=self.keeps_default)

    def requests(self, port: Link) -> list[NetlinkRequest]:
        """Return the requests that write them to a port of a bridge; none where there are none."""
        if not self.access and not self.trunk:
            return []
        requests = []
        if not self.keeps_default:
            # A range costs the kernel little, and reading the port's VLANs would be a round trip.
            requests.append(_change(RTM_DELLINK, port, _range(1, MAX_VLAN)))
        if self.access:
            requests.append(_change(RTM_SETLINK, port, _one(self.access, _PVID_UNTAGGED)))
        if self.trunk:
            ranges = b"".join(_range(first, last) for first, last in self.trunk)
            requests.append(_change(RTM_SETLINK, port, ranges))
            if not self.access:
                requests.append(_change(RTM_SETLINK, port, _one(_NATIVE, _PVID_UNTAGGED)))
        return requests


def _change(kind: int, port: Link, vlans: bytes) -> NetlinkRequest:
    action = f"set the VLANs of bridge port {port.name}"
    body = link_body(index=port.index, family=AF_BRIDGE) + nested(IFLA_AF_SPEC, vlans)
    return NetlinkRequest(kind, 0, body, action, explain=partial(why_no_vlans, action=action))


def _range(first: int, last: int) -> bytes:
    if first == last:
        return _one(first)
    return _one(first, _RANGE_BEGIN) + _one(last, _RANGE_END)


def _one(vlan: int, flags: int = 0) -> bytes:
    return attribute(IFLA_BRIDGE_VLAN_INFO, _INFO.pack(flags, vlan))
