"""The requests about queueing disciplines that limit a link, and how the kernel shows them.

`tbf` limits what a link sends. What it receives is redirected to an `ifb` device, which is limited
in turn. Layouts: linux/pkt_sched.h, linux/pkt_cls.h, linux/tc_act/tc_mirred.h.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from cni.net.links import Link
from cni.net.netlink import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    Message,
    NetlinkRequest,
    as_text,
    attribute,
    attributes,
    nested,
    text,
    u32,
)
from planes.model.errors import BadInput, Conflict, PlanesError

RTM_NEWQDISC, RTM_DELQDISC, RTM_GETQDISC = 36, 37, 38
RTM_NEWTFILTER: Final = 44
TC: Final = struct.Struct("=BxxxiIII")
"""`struct tcmsg`: family, link, handle, parent, info."""
ROOT: Final = 0xFFFFFFFF
FIRST: Final = 1 << 16
"""The handle `1:`."""
MAX_TICKS: Final = 0xFFFFFFFF >> 6
"""The longest burst that the kernel keeps: it counts in 32 bits of nanoseconds, 64 a tick."""
TCA_KIND: Final = 1
TCA_OPTIONS: Final = 2
ALL_PROTOCOLS: Final = 0x0003
_INGRESS: Final = 0xFFFFFFF1
_INGRESS_HANDLE: Final = 0xFFFF0000
_TCA_TBF_PARMS: Final = 1
_TCA_TBF_RATE64: Final = 4
_TCA_U32_CLASSID: Final = 1
_TCA_U32_SEL: Final = 5
_TCA_U32_ACT: Final = 7
_TCA_ACT_KIND: Final = 1
_TCA_ACT_OPTIONS: Final = 2
_TCA_MIRRED_PARMS: Final = 2
_RATE: Final = struct.Struct("=BBHhHI")  # struct tc_ratespec
_TBF: Final = struct.Struct("=12s12sIII")  # struct tc_tbf_qopt: rate, peak, limit, buffer, mtu
_MIRRED: Final = struct.Struct("=IIiiiiI")  # struct tc_mirred
_SELECTOR: Final = struct.Struct("=BBBxHHhhI")  # struct tc_u32_sel
_TERMINAL: Final = 1
_PASS, _STOLEN = 0, 4  # TC_ACT_OK, TC_ACT_STOLEN
_REDIRECT: Final = 1  # TCA_EGRESS_REDIR
_U64: Final = struct.Struct("=Q")
_MAX_U32: Final = 0xFFFFFFFF
_TICKS_IN_MICROSECOND: Final = 1000 / 64  # PSCHED_SHIFT of Linux
_LATENCY_MICROSECONDS: Final = 25_000.0


@dataclass(frozen=True, slots=True)
class BandwidthLimit:
    """The numbers of a `tbf`.

    Attributes:
        rate: bytes a second.
        limit: bytes that wait at most.
        buffer: ticks of the kernel's packet clock that a burst takes at that rate.
    """

    rate: int
    limit: int
    buffer: int

    @classmethod
    def of(cls, rate_bits: int, burst_bits: int) -> BandwidthLimit:
        """Return the numbers for a rate and a burst, as the reference plugin computes them.

        Numbers beyond 32 bits end there; in the reference they start again from 0.

        Args:
            rate_bits: bits a second, at least 8.
            burst_bits: bits.
        """
        rate, burst = rate_bits // 8, burst_bits // 8
        micros = min(int(float(burst) * 1_000_000.0 / float(rate)), _MAX_U32)
        queued = int(float(rate) * _LATENCY_MICROSECONDS / 1_000_000.0)
        return cls(
            rate=rate,
            limit=min(queued + burst, _MAX_U32),
            buffer=min(int(micros * _TICKS_IN_MICROSECOND), MAX_TICKS),
        )


@dataclass(frozen=True, slots=True)
class Qdisc:
    """A queueing discipline of a link.

    Attributes:
        link: index of the link.
        parent: ROOT for what the link sends by.
        bucket: of a `tbf`; None for other kinds.
    """

    link: int
    kind: str
    parent: int
    bucket: BandwidthLimit | None = None

    @property
    def is_ingress(self) -> bool:
        """Report whether it is about what the link receives."""
        return self.parent == _INGRESS


def add_tbf(link: Link, bucket: BandwidthLimit) -> NetlinkRequest:
    """Limit what a link sends."""
    rate = _RATE.pack(0, 0, 0, 0, 0, bucket.rate & _MAX_U32)
    parms = _TBF.pack(rate, b"\0" * _RATE.size, bucket.limit, bucket.buffer, 0)
    options = [attribute(_TCA_TBF_PARMS, parms)]
    if bucket.rate >> 32:
        options.append(attribute(_TCA_TBF_RATE64, _U64.pack(bucket.rate)))
    body = TC.pack(0, link.index, FIRST, ROOT, 0) + text(TCA_KIND, "tbf")
    body += nested(TCA_OPTIONS, *options)
    return adding(RTM_NEWQDISC, body, f"limit what {link.name} sends", "tbf")


def add_ingress(link: Link) -> NetlinkRequest:
    """Have what a link receives pass through filters."""
    body = TC.pack(0, link.index, _INGRESS_HANDLE, _INGRESS, 0) + text(TCA_KIND, "ingress")
    body += nested(TCA_OPTIONS)
    return adding(RTM_NEWQDISC, body, f"redirect what {link.name} receives", "ingress")


def add_redirect(link: Link, to: int) -> NetlinkRequest:
    """Redirect all that a link receives to the link at an index, behind which it goes on."""
    options = [
        attribute(_TCA_U32_SEL, selector([(0, 0, 0)])),
        u32(_TCA_U32_CLASSID, FIRST | 1),
        nested(_TCA_U32_ACT, *(_mirred(place, act, to) for place, act in _ACTIONS)),
    ]
    action = f"redirect what {link.name} receives"
    return add_filter(link, _INGRESS_HANDLE, (1, ALL_PROTOCOLS), options, action)


# The reference adds two; the first one already takes the packet.
_ACTIONS: Final = ((1, _STOLEN), (2, _PASS))


def _mirred(place: int, act: int, to: int) -> bytes:
    parms = attribute(_TCA_MIRRED_PARMS, _MIRRED.pack(0, 0, act, 0, 0, _REDIRECT, to))
    return nested(place, text(_TCA_ACT_KIND, "mirred"), nested(_TCA_ACT_OPTIONS, parms))


def selector(keys: Iterable[tuple[int, int, int]]) -> bytes:
    """Encode the keys of a `u32` filter: mask and value of 32 bits, at an offset in the packet."""
    packed = [
        struct.pack("!II", mask, value) + struct.pack("=ii", at, 0) for mask, value, at in keys
    ]
    return _SELECTOR.pack(_TERMINAL, 0, len(packed), 0, 0, 0, 0, 0) + b"".join(packed)


def add_filter(
    link: Link, parent: int, place: tuple[int, int], options: Iterable[bytes], action: str
) -> NetlinkRequest:
    """Add a `u32` filter; `place` is its priority, and the Ethernet protocol it is about."""
    priority, protocol = place
    info = priority << 16 | socket.htons(protocol)
    body = TC.pack(0, link.index, 0, parent, info) + text(TCA_KIND, "u32")
    return adding(RTM_NEWTFILTER, body + nested(TCA_OPTIONS, *options), action, "u32")


def classified(keys: Iterable[tuple[int, int, int]], class_id: int) -> list[bytes]:
    """Return the options of a `u32` filter that puts packets into a class."""
    return [attribute(_TCA_U32_SEL, selector(keys)), u32(_TCA_U32_CLASSID, class_id)]


def delete_root(link: Link) -> NetlinkRequest:
    """Remove what limits a link; none there is fine."""
    return _deleting(link, FIRST, ROOT)


def delete_ingress(link: Link) -> NetlinkRequest:
    """Remove the filters of what a link receives; none there is fine."""
    return _deleting(link, _INGRESS_HANDLE, _INGRESS)


def _deleting(link: Link, handle: int, parent: int) -> NetlinkRequest:
    gone = frozenset({errno.ENOENT, errno.EINVAL, errno.ENODEV})
    body = TC.pack(0, link.index, handle, parent, 0)
    return NetlinkRequest(RTM_DELQDISC, 0, body, f"free {link.name} of its limit", gone)


def get_qdiscs() -> NetlinkRequest:
    """Ask for the queueing disciplines of all links; for `Channel.dump`."""
    return NetlinkRequest(RTM_GETQDISC, 0, TC.pack(0, 0, 0, 0, 0), "list queueing disciplines")


def read_qdiscs(found: Iterable[Message]) -> list[Qdisc]:
    """Read answers to `get_qdiscs`."""
    return [_read(message.payload) for message in found if message.kind == RTM_NEWQDISC]


def _read(payload: memoryview) -> Qdisc:
    _family, link, _handle, parent, _info = TC.unpack_from(payload)
    found = attributes(payload[TC.size :])
    kind = as_text(found[TCA_KIND])
    if kind != "tbf":
        return Qdisc(link, kind, parent)
    options = attributes(found[TCA_OPTIONS])
    rate, _peak, limit, buffer, _mtu = _TBF.unpack_from(options[_TCA_TBF_PARMS])
    bytes_a_second = _RATE.unpack(rate)[5]
    if _TCA_TBF_RATE64 in options:
        (bytes_a_second,) = _U64.unpack_from(options[_TCA_TBF_RATE64])
    return Qdisc(link, kind, parent, BandwidthLimit(bytes_a_second, limit, buffer))


def adding(kind: int, body: bytes, action: str, module: str) -> NetlinkRequest:
    """Return the request that adds something of a kind, which the kernel may lack."""
    why = partial(_why_not, action=action, module=module)
    return NetlinkRequest(kind, NLM_F_CREATE | NLM_F_EXCL, body, action, explain=why)


def _why_not(number: int, action: str, module: str) -> PlanesError | None:
    """Return the error where the kernel lacks a kind, or the link has something in its place.

    Sources: `qdisc_create`, `tc_modify_qdisc`, `tc_new_tfilter` of Linux.
    """
    if number == errno.ENOENT:
        return BadInput(
            f"cannot {action}: the kernel of this node has no {module}",
            remedy="load its module on the node (sch_tbf, sch_htb, sch_ingress, cls_u32,"
            " act_mirred), or leave bandwidth out",
        )
    if number == errno.EEXIST:
        return Conflict(
            f"cannot {action}: something else limits it already",
            remedy="see what (tc qdisc show), and let one of both set the bandwidth",
        )
    return None
