"""Frames that say, or ask, which MAC has an address: ARP for IPv4, NDP for IPv6.

Formats: RFC 826, RFC 5227 §2.1.1 (probe) and §3 (announcement); RFC 4861 §4.3 and §4.4, RFC 4862
§5.4.2 (solicitation from the unspecified address). Frames that are read come from anybody: what is
too short or of another kind is None, and the rest proves nothing but that somebody sent it.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple

from planes.model.addresses import IPAddress

ETH_P_ARP: Final = 0x0806
ETH_P_IPV6: Final = 0x86DD
BROADCAST: Final = b"\xff" * 6
ALL_NODES_MAC: Final = bytes.fromhex("333300000001")
_ALL_NODES: Final = IPv6Address("ff02::1")
_UNSPECIFIED: Final = IPv6Address("::")
_SOLICITED: Final = int(IPv6Address("ff02::1:ff00:0"))
_ETHERNET: Final = struct.Struct("!6s6sH")
_ARP: Final = struct.Struct("!HHBBH6s4s6s4s")
_ARP_OF_ETHERNET: Final = (1, 0x0800, 6, 4)
_REQUEST: Final = 1
_IPV6: Final = struct.Struct("!IHBB16s16s")
_NEIGHBOUR: Final = struct.Struct("!BBHI16s")
_LINK_OPTION: Final = struct.Struct("!BB6s")
_ICMPV6: Final = 58
_ON_LINK: Final = 255
"""The hop limit of NDP: a router would have lowered it (RFC 4861 §7.1)."""
SOLICITATION: Final = 135
ADVERTISEMENT: Final = 136
_OVERRIDE: Final = 0x20000000


class Neighbour(NamedTuple):
    """What a frame says of an address.

    Attributes:
        mac: of the sender.
        is_asking: the sender does not have the address yet, and looks whether anybody has.
    """

    address: IPAddress
    mac: bytes
    is_asking: bool


def announcement(mac: bytes, address: IPAddress) -> bytes:
    """Return the frame that tells everybody which MAC has an address."""
    if isinstance(address, IPv4Address):
        return _arp(mac, address.packed, BROADCAST, address.packed)
    option = _LINK_OPTION.pack(2, 1, mac)
    body = _ndp(ADVERTISEMENT, _OVERRIDE, address, option, source=address, destination=_ALL_NODES)
    return _ETHERNET.pack(ALL_NODES_MAC, mac, ETH_P_IPV6) + body


def probe(mac: bytes, address: IPAddress) -> bytes:
    """Return the frame that asks whether anybody has an address, without claiming it."""
    if isinstance(address, IPv4Address):
        return _arp(mac, bytes(4), bytes(6), address.packed)
    group = solicited_group(address)
    body = _ndp(SOLICITATION, 0, address, b"", source=_UNSPECIFIED, destination=group)
    return _ETHERNET.pack(group_mac(group), mac, ETH_P_IPV6) + body


def solicited_group(address: IPv6Address) -> IPv6Address:
    """Return the solicited-node multicast address (RFC 4291 §2.7.1)."""
    return IPv6Address(_SOLICITED | int(address) & 0xFFFFFF)


def group_mac(group: IPv6Address) -> bytes:
    """Return the MAC of an IPv6 multicast address (RFC 2464 §7)."""
    return b"\x33\x33" + group.packed[-4:]


def read_frame(frame: bytes) -> Neighbour | None:
    """Return what an Ethernet frame says of an address; None where it is neither ARP nor NDP."""
    if len(frame) < _ETHERNET.size:
        return None
    _, source, kind = _ETHERNET.unpack_from(frame)
    payload = frame[_ETHERNET.size :]
    if kind == ETH_P_ARP:
        return _read_arp(payload)
    return _read_ndp(source, payload) if kind == ETH_P_IPV6 else None


def _read_arp(payload: bytes) -> Neighbour | None:
    if len(payload) < _ARP.size:
        return None
    *form, _operation, mac, sender, _, target = _ARP.unpack_from(payload)
    if tuple(form) != _ARP_OF_ETHERNET:
        return None
    is_asking = not any(sender)
    return Neighbour(IPv4Address(target if is_asking else sender), mac, is_asking)


def _read_ndp(source: bytes, payload: bytes) -> Neighbour | None:
    if len(payload) < _IPV6.size + _NEIGHBOUR.size:
        return None
    _, _, protocol, hops, sender, _ = _IPV6.unpack_from(payload)
    kind, code, _, _, target = _NEIGHBOUR.unpack_from(payload, _IPV6.size)
    if (protocol, hops, code) != (_ICMPV6, _ON_LINK, 0):
        return None
    if kind == ADVERTISEMENT:
        return Neighbour(IPv6Address(target), source, is_asking=False)
    if kind == SOLICITATION and not any(sender):
        return Neighbour(IPv6Address(target), source, is_asking=True)
    return None  # a solicitation with a sender resolves the address of somebody else


def _arp(mac: bytes, sender: bytes, asked: bytes, target: bytes) -> bytes:
    body = _ARP.pack(*_ARP_OF_ETHERNET, _REQUEST, mac, sender, asked, target)
    return _ETHERNET.pack(BROADCAST, mac, ETH_P_ARP) + body


def _ndp(
    kind: int,
    flags: int,
    target: IPv6Address,
    options: bytes,
    *,
    source: IPv6Address,
    destination: IPv6Address,
) -> bytes:
    def message(checksum: int) -> bytes:
        return _NEIGHBOUR.pack(kind, 0, checksum, flags, target.packed) + options

    size = _NEIGHBOUR.size + len(options)
    pseudo = source.packed + destination.packed + struct.pack("!II", size, _ICMPV6)
    body = message(_checksum(pseudo + message(0)))
    head = _IPV6.pack(6 << 28, size, _ICMPV6, _ON_LINK, source.packed, destination.packed)
    return head + body


def _checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
