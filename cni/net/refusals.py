"""Why the kernel did not make a link or bring it up, where its errno has one cause.

Sources: `rtnl_newlink` (EOPNOTSUPP: no driver makes links of the kind), `macvlan_common_newlink`
and `macvlan_port_create` (EINVAL, EBUSY), `macvlan_open` (EADDRINUSE), `ipvlan_port_create`
(EBUSY), `vlan_check_real_dev` (EOPNOTSUPP, EEXIST), `vlan_newlink` (EINVAL) and `vlan_dev_open`
(ENETDOWN) of Linux.
"""

from __future__ import annotations

import errno
from typing import Final

from cni.net.errors import MacInUse
from planes.model.errors import BadInput, Conflict, PlanesError, Unavailable

MODE_PASSTHRU: Final = 8


def why_no_kind(number: int, action: str, kind: str) -> PlanesError | None:
    """Return the error for a kind of links that the kernel lacks; None for any other errno."""
    if number != errno.EOPNOTSUPP:
        return None
    return BadInput(
        f"cannot {action}: the kernel of this node has no {kind}",
        remedy=f"load it on the node (modprobe {kind}), or use another type",
    )


def why_no_vlans(number: int, action: str) -> PlanesError | None:
    """Return the error for VLANs of a bridge that the kernel lacks; None for any other errno."""
    if number != errno.EOPNOTSUPP:
        return None
    return BadInput(
        f"cannot {action}: the kernel of this node has no VLAN filtering of bridges",
        remedy="use a node whose kernel has it (CONFIG_BRIDGE_VLAN_FILTERING), or leave out vlan"
        " and vlanTrunk",
    )


def why_no_macvlan(number: int, action: str, master: str, mode: int) -> PlanesError | None:
    """Return the error for a macvlan that its master refuses; None for any other errno."""
    if number == errno.EINVAL and mode == MODE_PASSTHRU:
        return Conflict(
            f"cannot {action}: a macvlan in mode passthru must be alone on its master, and "
            f"{master} has others, or is no Ethernet device",
            remedy="use another master, or mode bridge",
        )
    if number == errno.EINVAL:
        return Conflict(
            f"cannot {action}: {master} has a macvlan in mode passthru, which must be alone, or is "
            "no Ethernet device",
            remedy="use another master, or mode bridge in the other network too",
        )
    if number == errno.EBUSY:
        return Conflict(
            f"cannot {action}: {master} is used otherwise, as a port of a bridge or bond, or by "
            "ipvlans",
            remedy="use another master; the bridge or bond itself can be one",
        )
    return why_no_kind(number, action, "macvlan")


def why_no_ipvlan(number: int, action: str, master: str) -> PlanesError | None:
    """Return the error for an ipvlan that its master refuses; None for any other errno."""
    if number == errno.EBUSY:
        return Conflict(
            f"cannot {action}: {master} is used otherwise, as a port of a bridge or bond, or by "
            "macvlans",
            remedy="use one type on it, or another master; the bridge or bond itself can be one",
        )
    return why_no_kind(number, action, "ipvlan")


def why_no_vlan(number: int, action: str, master: str, vlan: int) -> PlanesError | None:
    """Return the error for a VLAN interface that its master refuses; None for any other errno."""
    if number == errno.EEXIST:
        return Conflict(
            f"cannot {action}: VLAN {vlan} of {master} has an interface already, on the node or in "
            "another pod, and a device has each VLAN once",
            remedy="make the VLAN's interface on the node, and put a macvlan or bridge on it",
        )
    if number == errno.EINVAL:
        return BadInput(
            f"cannot {action}: {master} needs four bytes of its MTU for the VLAN's tag",
            remedy=f"lower mtu by 4, leave it out, or raise that of {master}",
        )
    if number == errno.EOPNOTSUPP:
        return BadInput(
            f"cannot {action}: the kernel of this node has no 8021q, or {master} takes no VLANs",
            remedy="load it on the node (modprobe 8021q), or use another master or type",
        )
    return None


def why_not_up(number: int, ifname: str, mac: str) -> PlanesError | None:
    """Return the error for a link whose MAC is in use, or whose master is down; None for others."""
    if number == errno.ENETDOWN:
        return Unavailable(
            f"cannot bring up {ifname}: the device that it is made on is down",
            remedy="bring its master up (ip link set MASTER up), on the node or in the pod",
        )
    return MacInUse(ifname, mac) if number == errno.EADDRINUSE else None
