"""Filters of packet sockets: only the frames that say an address is in use reach the socket.

A socket buffer is small, and anybody may send any number of frames. With the filter in the kernel
the buffer has only frames that decide, so that no flood hides one. Frames of other VLANs, which a
trunk port may bring, are none of this segment: the kernel marks them as for another host. Classic
BPF, as in linux/filter.h and bpf_common.h.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import Final

from cni.net.neighbour_frames import ADVERTISEMENT, SOLICITATION
from planes.model.addresses import IPAddress

_SO_ATTACH_FILTER: Final = 26
_LOAD_WORD, _LOAD_BYTE = 0x20, 0x30
_IF_EQUAL: Final = 0x15
_RETURN: Final = 0x06
_PACKET_TYPE: Final = 0xFFFFF000 + 4  # SKF_AD_OFF + SKF_AD_PKTTYPE
_WHOLE: Final = 0x40000
_INSTRUCTION: Final = struct.Struct("=HBBI")

# Offsets in an Ethernet frame: ARP sender and target address; IPv6 next header, source, and of
# ICMPv6 the type and the target.
_ARP_SENDER, _ARP_TARGET = 28, 38
_NEXT_HEADER, _SOURCE, _TYPE, _TARGET = 20, 22, 54, 62
_ICMPV6: Final = 58

_Test = tuple[int, int, int]
"""How to load, at which offset, and the value that it must have."""


def attach_filter(listener: socket.socket, address: IPAddress) -> None:
    """Let a packet socket of one protocol have only frames whose sender has or wants an address.

    Raises:
        OSError: the kernel refuses.
    """
    code = _program(*_ways(address))
    program = ctypes.create_string_buffer(code)
    count = len(code) // _INSTRUCTION.size
    # struct sock_fprog: the number of instructions, and a pointer to them.
    head = struct.pack("@HP", count, ctypes.addressof(program))
    listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, head)


def _ways(address: IPAddress) -> tuple[Sequence[_Test], ...]:
    """Return the lists of tests of which one must hold altogether."""
    if isinstance(address, IPv4Address):
        value = int(address)
        return (
            [(_LOAD_WORD, _ARP_SENDER, value)],
            [(_LOAD_WORD, _ARP_SENDER, 0), (_LOAD_WORD, _ARP_TARGET, value)],
        )
    is_icmp = (_LOAD_BYTE, _NEXT_HEADER, _ICMPV6)
    target = _words(_TARGET, address.packed)
    return (
        [is_icmp, (_LOAD_BYTE, _TYPE, ADVERTISEMENT), *target],
        [is_icmp, (_LOAD_BYTE, _TYPE, SOLICITATION), *target, *_words(_SOURCE, bytes(16))],
    )


def _words(offset: int, packed: bytes) -> list[_Test]:
    values = struct.unpack("!4I", packed)
    return [(_LOAD_WORD, offset + 4 * at, value) for at, value in enumerate(values)]


def _program(*ways: Sequence[_Test]) -> bytes:
    """Return the instructions that accept frames for this host for which one way holds."""
    code = _INSTRUCTION.pack(_LOAD_WORD, 0, 0, _PACKET_TYPE)
    code += _INSTRUCTION.pack(_IF_EQUAL, 0, 1, socket.PACKET_OTHERHOST)
    code += _INSTRUCTION.pack(_RETURN, 0, 0, 0)
    for tests in ways:
        left = 2 * len(tests) + 1  # two instructions for each test, and one that accepts
        for load, offset, value in tests:
            left -= 2
            code += _INSTRUCTION.pack(load, 0, 0, offset)
            code += _INSTRUCTION.pack(_IF_EQUAL, 0, left, value)  # else to the next way
        code += _INSTRUCTION.pack(_RETURN, 0, 0, _WHOLE)
    return code + _INSTRUCTION.pack(_RETURN, 0, 0, 0)
