"""The requests about `ifb` devices, to which a link's received packets are redirected."""

from __future__ import annotations

from functools import partial
from typing import Final

from cni.net.channel import Channel
from cni.net.if_link import (
    IFF_UP,
    IFLA_IFNAME,
    IFLA_INFO_KIND,
    IFLA_LINKINFO,
    IFLA_MTU,
    IFLA_TXQLEN,
    RTM_NEWLINK,
    link_body,
)
from cni.net.links import Link, find_link, read_links
from cni.net.netlink import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NetlinkRequest,
    nested,
    text,
    u32,
)
from cni.net.refusals import why_no_kind

_KIND: Final = "ifb"


def new_ifb(name: str, mtu: int, queue_length: int) -> NetlinkRequest:
    """Create a device that is up."""
    body = link_body(flags=IFF_UP, change=IFF_UP) + text(IFLA_IFNAME, name)
    body += u32(IFLA_MTU, mtu) + u32(IFLA_TXQLEN, queue_length)
    body += nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, _KIND))
    action = f"create {_KIND} {name}"
    why = partial(why_no_kind, action=action, kind=_KIND)
    return NetlinkRequest(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body, action, explain=why)


def find_ifb(channel: Channel, name: str) -> Link | None:
    """Return a device; None where there is none of that name and kind.

    Raises:
        PlanesError: the kernel refuses.
    """
    found = read_links(channel.batch([find_link(name)])[0])
    return next((link for link in found if link.kind == _KIND), None)
