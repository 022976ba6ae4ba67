"""The requests that change links and remove them."""

from __future__ import annotations

import errno
from functools import partial
from socket import AF_INET
from typing import Final

from cni.net.if_link import (
    GONE,
    IFF_UP,
    IFLA_ADDRESS,
    IFLA_AF_SPEC,
    IFLA_BRPORT_ISOLATED,
    IFLA_BRPORT_MODE,
    IFLA_GROUP,
    IFLA_IFNAME,
    IFLA_INET_CONF,
    IFLA_INFO_SLAVE_DATA,
    IFLA_INFO_SLAVE_KIND,
    IFLA_LINKINFO,
    IFLA_MASTER,
    IPV4_DEVCONF_ARP_NOTIFY,
    RTM_DELLINK,
    RTM_NEWLINK,
    link_body,
    mac_bytes,
)
from cni.net.links import Link
from cni.net.netlink import NetlinkRequest, attribute, nested, text, u8, u32
from cni.net.refusals import why_not_up

_INET_CONF: Final = nested(IFLA_INET_CONF, u32(IPV4_DEVCONF_ARP_NOTIFY, 1))
_ARP_NOTIFY: Final = nested(IFLA_AF_SPEC, nested(AF_INET, _INET_CONF))
_NO_CONF: Final = frozenset({errno.EAFNOSUPPORT, errno.EOPNOTSUPP, errno.EINVAL})


def set_flags(link: Link, flags: int, *, clear: int = 0) -> NetlinkRequest:
    """Set and clear interface flags (IFF_UP, IFF_PROMISC)."""
    body = link_body(index=link.index, flags=flags, change=flags | clear)
    verb = "bring up" if flags & IFF_UP else "change the flags of"
    why = partial(why_not_up, ifname=link.name, mac=link.mac)
    return NetlinkRequest(RTM_NEWLINK, 0, body, f"{verb} {link.name}", explain=why)


def announce_ipv4(link: Link) -> NetlinkRequest:
    """Have the kernel announce IPv4 addresses at link up: the sysctl arp_notify, by netlink.

    Its file below /proc/sys takes three system calls inside the namespace. A refusal is ignored.
    """
    body = link_body(index=link.index) + _ARP_NOTIFY
    return NetlinkRequest(RTM_NEWLINK, 0, body, f"set arp_notify of {link.name}", _NO_CONF)


def set_mac(link: Link, mac: str) -> NetlinkRequest:
    """Write the MAC; writing a bridge's own MAC pins it, so it stops following its ports."""
    body = link_body(index=link.index) + attribute(IFLA_ADDRESS, mac_bytes(mac))
    return NetlinkRequest(RTM_NEWLINK, 0, body, f"set the MAC of {link.name} to {mac}")


def set_bridge_port(name: str, *, is_hairpin: bool, is_isolated: bool) -> NetlinkRequest:
    """Write the port options that the kernel ignores while a veth is being created.

    By name, as `ip link set NAME type bridge_slave …` sends it: its index need not be asked for.
    """
    options = [u8(IFLA_BRPORT_MODE, int(is_hairpin))]
    if is_isolated:
        options.append(u8(IFLA_BRPORT_ISOLATED, 1))
    kind, data = text(IFLA_INFO_SLAVE_KIND, "bridge"), nested(IFLA_INFO_SLAVE_DATA, *options)
    body = link_body() + text(IFLA_IFNAME, name) + nested(IFLA_LINKINFO, kind, data)
    return NetlinkRequest(RTM_NEWLINK, 0, body, f"set the bridge port options of {name}")


def rename(link: Link, name: str) -> NetlinkRequest:
    """Rename a link that is down."""
    body = link_body(index=link.index) + text(IFLA_IFNAME, name)
    return NetlinkRequest(RTM_NEWLINK, 0, body, f"rename {link.name} to {name}")


def set_master(link: Link, master: Link | None) -> NetlinkRequest:
    """Make a link a port of a VRF, bridge or bond; None takes it out of the one it is in."""
    body = link_body(index=link.index) + u32(IFLA_MASTER, master.index if master else 0)
    what = f"add {link.name} to {master.name}" if master else f"take {link.name} out of its master"
    return NetlinkRequest(RTM_NEWLINK, 0, body, what)


def set_group(name: str, group: int) -> NetlinkRequest:
    """Put a link into a group; a missing one is fine."""
    body = link_body() + text(IFLA_IFNAME, name) + u32(IFLA_GROUP, group)
    return NetlinkRequest(RTM_NEWLINK, 0, body, f"group link {name}", GONE)


def delete_group(group: int) -> NetlinkRequest:
    """Remove all links of a group at once; an empty group is fine."""
    body = link_body() + u32(IFLA_GROUP, group)
    return NetlinkRequest(RTM_DELLINK, 0, body, "remove links as a group", GONE)


def delete_link(name: str) -> NetlinkRequest:
    """Remove one link; a missing one is fine."""
    return NetlinkRequest(
        RTM_DELLINK, 0, link_body() + text(IFLA_IFNAME, name), f"remove link {name}", GONE
    )
