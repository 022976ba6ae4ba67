"""Forget connections that the kernel tracks (conntrack), by protocol and destination port.

A UDP client that sends from one port is one connection for conntrack. While it sends, its packets
go where they went before a mapping was made or removed. Layouts: linux/netfilter/nfnetlink.h and
linux/netfilter/nfnetlink_conntrack.h. The kernel filters what it lists since 5.8; an older one
lists all, so each connection is looked at here too.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Collection
from typing import Final

from cni.net.channel import Channel
from cni.net.netlink import (
    NLM_F_ACK,
    NetlinkRequest,
    attribute,
    attributes,
    nested,
    u8,
    u32,
)

_NETLINK_NETFILTER: Final = 12
_SUBSYSTEM: Final = 1 << 8  # NFNL_SUBSYS_CTNETLINK
_GET: Final = _SUBSYSTEM | 1
_DELETE: Final = _SUBSYSTEM | 2
_HEAD: Final = struct.Struct(">BBH")  # struct nfgenmsg: family, version, resource
_PORT: Final = struct.Struct(">H")
_TUPLE_ORIG: Final = 1
_TUPLE_PROTO: Final = 2
_PROTO_NUMBER: Final = 1
_PROTO_DST_PORT: Final = 3
_ID: Final = 12
_ZONE: Final = 18
_FILTER: Final = 25
_FILTER_ORIG_FLAGS: Final = 1
_BY_NUMBER: Final = 1 << 3
_BY_DST_PORT: Final = 1 << 5
_NESTED: Final = 0x8000
_FAMILIES: Final = {4: socket.AF_INET, 6: socket.AF_INET6}
# The kernel walks through all connections for each port that it is asked for.
_MOST_LISTED_ALONE: Final = 16


def forget_udp_connections(version: int, ports: Collection[int]) -> None:
    """Forget UDP connections to ports, in the namespace of the calling thread; blocks.

    Args:
        version: 4 or 6.
        ports: destination ports of the first packet, before any redirection.

    Raises:
        PlanesError: the kernel refuses, or does not track connections.
    """
    if not ports:
        return
    channel = Channel(_NETLINK_NETFILTER)
    try:
        is_few = len(ports) <= _MOST_LISTED_ALONE
        for port in sorted(ports) if is_few else [0]:
            going = [
                request
                for message in channel.dump(_listing(version, port))
                if (request := _deletion(version, message.payload, ports)) is not None
            ]
            for request in going:
                channel.batch([request])
    finally:
        channel.close()


def _listing(version: int, port: int) -> NetlinkRequest:
    """Return the request for the UDP connections to a port, or to any."""
    proto = [u8(_PROTO_NUMBER, socket.IPPROTO_UDP)]
    flags = _BY_NUMBER
    if port:
        proto.append(attribute(_PROTO_DST_PORT, _PORT.pack(port)))
        flags |= _BY_DST_PORT
    body = (
        _HEAD.pack(_FAMILIES[version], 0, 0)
        + nested(_TUPLE_ORIG | _NESTED, nested(_TUPLE_PROTO | _NESTED, *proto))
        + nested(_FILTER | _NESTED, u32(_FILTER_ORIG_FLAGS, flags))
    )
    return NetlinkRequest(_GET, 0, body, "list tracked connections")


def _deletion(version: int, payload: memoryview, ports: Collection[int]) -> NetlinkRequest | None:
    """Return the request that forgets a listed connection; None where it is to another port."""
    found = attributes(payload[_HEAD.size :], {_TUPLE_ORIG, _ID, _ZONE})
    if _TUPLE_ORIG not in found or payload[0] != _FAMILIES[version]:
        return None
    proto = attributes(attributes(found[_TUPLE_ORIG]).get(_TUPLE_PROTO, memoryview(b"")))
    number, port = proto.get(_PROTO_NUMBER), proto.get(_PROTO_DST_PORT)
    if number is None or port is None or number[0] != socket.IPPROTO_UDP:
        return None
    if _PORT.unpack(port)[0] not in ports:
        return None
    body = _HEAD.pack(_FAMILIES[version], 0, 0) + attribute(
        _TUPLE_ORIG | _NESTED, bytes(found[_TUPLE_ORIG])
    )
    body += b"".join(attribute(kind, bytes(found[kind])) for kind in (_ID, _ZONE) if kind in found)
    gone = frozenset({errno.ENOENT})
    return NetlinkRequest(_DELETE, NLM_F_ACK, body, "forget a tracked connection", gone)
