"""The requests that limit a link for some networks only, by the classes of an `htb` qdisc.

The layout is that of the reference plugin's release 1.5.0, the only one with such a setting: class
1:30 (hexadecimal) is limited, class 1:1 is not, and a filter for each network leads to one of them.
Layouts: linux/pkt_sched.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from cni.net.links import Link
from cni.net.netlink import (
    Message,
    NetlinkRequest,
    as_text,
    attribute,
    attributes,
    nested,
    text,
)
from cni.net.qdiscs import (
    FIRST,
    ROOT,
    RTM_NEWQDISC,
    TC,
    TCA_KIND,
    TCA_OPTIONS,
    BandwidthLimit,
    add_filter,
    adding,
    classified,
)
from planes.model.addresses import IPNetwork

RTM_NEWTCLASS, RTM_GETTCLASS = 40, 42
_LIMITED: Final = 0x30
_FREE: Final = 0x1
_FREE_RATE: Final = 100_000_000_000
_TCA_HTB_PARMS: Final = 1
_TCA_HTB_INIT: Final = 2
_TCA_HTB_RATE64: Final = 6
_TCA_HTB_CEIL64: Final = 7
_GLOBAL: Final = struct.Struct("=IIIII")  # struct tc_htb_glob
_CLASS: Final = struct.Struct("=12s12sIIIII")  # struct tc_htb_opt
_RATE: Final = struct.Struct("=BBHhHI")  # struct tc_ratespec
_ETHERNET: Final = 1  # TC_LINKLAYER_ETHERNET
_U64: Final = struct.Struct("=Q")
_MAX_U32: Final = 0xFFFFFFFF
# Of each IP version: priority and Ethernet protocol of its filters, offset of source and of
# destination in a packet. Filters of one priority must be about one protocol.
_VERSIONS: Final = {4: (16, 0x0800, 12, 16), 6: (15, 0x86DD, 8, 24)}


@dataclass(frozen=True, slots=True)
class ShapedSubnets:
    """The networks whose packets are limited, or are not.

    Attributes:
        are_shaped: whether packets of these networks alone are limited, instead of all others.
    """

    networks: tuple[IPNetwork, ...]
    are_shaped: bool


def limit_subnets(
    link: Link, bucket: BandwidthLimit, subnets: ShapedSubnets, *, by_source: bool
) -> Sequence[NetlinkRequest]:
    """Return the requests that limit what a link sends, depending on the peer's network.

    Args:
        link: has no limit yet.
        bucket: the limit.
        subnets: the networks.
        by_source: whether the peer is the source of the packets, instead of the destination.
    """
    default = _FREE if subnets.are_shaped else _LIMITED
    chosen = _LIMITED if subnets.are_shaped else _FREE
    body = TC.pack(0, link.index, FIRST, ROOT, 0) + text(TCA_KIND, "htb")
    body += nested(TCA_OPTIONS, attribute(_TCA_HTB_INIT, _GLOBAL.pack(3, 10, default, 0, 0)))
    requests = [
        adding(RTM_NEWQDISC, body, f"limit what {link.name} sends", "htb"),
        _add_class(link, _LIMITED, bucket.rate, 2 * bucket.rate, bucket.buffer),
        _add_class(link, _FREE, _FREE_RATE, _FREE_RATE, 0),
    ]
    for network in subnets.networks:
        priority, protocol, source, destination = _VERSIONS[network.version]
        keys = _keys(network, source if by_source else destination)
        options = classified(keys, FIRST | chosen)
        action = f"choose packets of {network} on {link.name}"
        requests.append(add_filter(link, FIRST, (priority, protocol), options, action))
    return requests


def _add_class(link: Link, minor: int, rate: int, ceiling: int, buffer: int) -> NetlinkRequest:
    parms = _CLASS.pack(_rate(rate), _rate(ceiling), buffer, buffer, 0, 0, 0)
    options = [attribute(_TCA_HTB_PARMS, parms)]
    if rate >> 32:
        options.append(attribute(_TCA_HTB_RATE64, _U64.pack(rate)))
    if ceiling >> 32:
        options.append(attribute(_TCA_HTB_CEIL64, _U64.pack(ceiling)))
    body = TC.pack(0, link.index, FIRST | minor, FIRST, 0) + text(TCA_KIND, "htb")
    body += nested(TCA_OPTIONS, *options)
    return adding(RTM_NEWTCLASS, body, f"limit what {link.name} sends", "htb")


def _rate(rate: int) -> bytes:
    return _RATE.pack(0, _ETHERNET, 0, 0, 0, rate & _MAX_U32)


def _keys(network: IPNetwork, offset: int) -> list[tuple[int, int, int]]:
    """Return mask, value and offset of each 32 bits that the network fixes; all packets for /0."""
    masks = struct.iter_unpack("!I", network.netmask.packed)
    values = struct.iter_unpack("!I", network.network_address.packed)
    keys = [
        (mask, value, offset + 4 * place)
        for place, ((mask,), (value,)) in enumerate(zip(masks, values, strict=True))
        if mask
    ]
    return keys or [(0, 0, 0)]


def get_classes(link: Link) -> NetlinkRequest:
    """Ask for the classes of a link; for `Channel.dump`."""
    body = TC.pack(0, link.index, 0, 0, 0)
    return NetlinkRequest(RTM_GETTCLASS, 0, body, f"list classes of {link.name}")


def limited_rate(found: Iterable[Message]) -> int:
    """Return the bytes a second of the limited class in answers to `get_classes`; 0 without."""
    for message in found:
        if message.kind != RTM_NEWTCLASS:
            continue
        _family, _link, handle, _parent, _info = TC.unpack_from(message.payload)
        found_class = attributes(message.payload[TC.size :])
        if handle != FIRST | _LIMITED or as_text(found_class[TCA_KIND]) != "htb":
            continue
        options = attributes(found_class[TCA_OPTIONS])
        if _TCA_HTB_RATE64 in options:
            return int(_U64.unpack_from(options[_TCA_HTB_RATE64])[0])
        rate, *_rest = _CLASS.unpack_from(options[_TCA_HTB_PARMS])
        return int(_RATE.unpack(rate)[5])
    return 0
