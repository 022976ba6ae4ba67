"""The settings of a link that `tuning` changes: MAC, MTU, queue length, promiscuity, multicast.

Apart from `cni.net.links`: other types need neither queue lengths nor all-multicast mode.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from cni.net.channel import Channel
from cni.net.if_link import (
    IFF_ALLMULTI,
    IFF_PROMISC,
    IFLA_ADDRESS,
    IFLA_MTU,
    IFLA_TXQLEN,
    INFO,
    RTM_NEWLINK,
    link_body,
    mac_bytes,
)
from cni.net.links import get_link
from cni.net.netlink import NetlinkRequest, as_u32, attribute, attributes, u32
from cni.net.refusals import why_not_up

_READ = frozenset({IFLA_ADDRESS, IFLA_MTU, IFLA_TXQLEN})


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """Settings of a link; what is empty (None, "" or 0) is not to be changed.

    Attributes:
        mac: as the kernel writes it.
        mtu: in bytes.
        queue_length: of the transmit queue, in packets.
    """

    mac: str = ""
    mtu: int = 0
    is_promiscuous: bool | None = None
    is_all_multicast: bool | None = None
    queue_length: int | None = None

    @property
    def is_empty(self) -> bool:
        """Report whether there is nothing to change."""
        return self == _NOTHING

    def only(self, changed: LinkSettings) -> LinkSettings:
        """Return those settings that `changed` has, with the values here."""
        return LinkSettings(
            mac=self.mac if changed.mac else "",
            mtu=self.mtu if changed.mtu else 0,
            is_promiscuous=None if changed.is_promiscuous is None else self.is_promiscuous,
            is_all_multicast=None if changed.is_all_multicast is None else self.is_all_multicast,
            queue_length=None if changed.queue_length is None else self.queue_length,
        )


_NOTHING = LinkSettings()


def read_settings(channel: Channel, ifname: str) -> tuple[int, LinkSettings]:
    """Return the index of a link, and all its settings.

    Raises:
        NotFound: there is no link of that name.
    """
    (message,) = channel.batch([get_link(ifname)])[0]
    _family, _type, index, flags, _change = INFO.unpack_from(message.payload)
    found = attributes(message.payload[INFO.size :], _READ)
    return index, LinkSettings(
        mac=bytes(found[IFLA_ADDRESS]).hex(":") if IFLA_ADDRESS in found else "",
        mtu=as_u32(found[IFLA_MTU]),
        is_promiscuous=bool(flags & IFF_PROMISC),
        is_all_multicast=bool(flags & IFF_ALLMULTI),
        queue_length=as_u32(found[IFLA_TXQLEN]) if IFLA_TXQLEN in found else 0,
    )


def change_settings(index: int, ifname: str, wanted: LinkSettings) -> Sequence[NetlinkRequest]:
    """Return the requests that change the settings of a link, in the order of the reference."""
    requests = []

    def change(what: str, body: bytes, flags: int = 0, mask: int = 0) -> None:
        head = link_body(index=index, flags=flags, change=mask)
        why = partial(why_not_up, ifname=ifname, mac=wanted.mac)
        action = f"set the {what} of {ifname}"
        requests.append(NetlinkRequest(RTM_NEWLINK, 0, head + body, action, explain=why))

    if wanted.mac:
        change(f"MAC {wanted.mac}", attribute(IFLA_ADDRESS, mac_bytes(wanted.mac)))
    if wanted.is_promiscuous is not None:
        flags = IFF_PROMISC if wanted.is_promiscuous else 0
        change("promiscuous mode", b"", flags, IFF_PROMISC)
    if wanted.mtu:
        change(f"MTU {wanted.mtu}", u32(IFLA_MTU, wanted.mtu))
    if wanted.is_all_multicast is not None:
        flags = IFF_ALLMULTI if wanted.is_all_multicast else 0
        change("all-multicast mode", b"", flags, IFF_ALLMULTI)
    if wanted.queue_length is not None:
        change(f"txQLen {wanted.queue_length}", u32(IFLA_TXQLEN, wanted.queue_length))
    return requests
