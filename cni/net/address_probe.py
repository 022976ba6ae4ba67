"""Ask the hosts of a segment whether one of them has an address that a new interface is to get.

RFC 5227 for IPv4: a few ARP probes, whose sender address is 0.0.0.0, so that no cache of a host is
changed. RFC 4862 §5.4 for IPv6: neighbour solicitations from the unspecified address. Somebody who
answers has the address; somebody who probes for it too is about to. Invariant: nothing here waits;
`look` is called again and again until it has a result.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Final, NamedTuple

from cni.net.announce import packet_socket
from cni.net.channel import Channel
from cni.net.errors import kernel_error
from cni.net.frame_filter import attach_filter
from cni.net.if_link import IFF_UP, OPERSTATE_UNKNOWN, OPERSTATE_UP, mac_bytes
from cni.net.link_changes import set_flags
from cni.net.links import Link, find_link, get_link_at, read_links
from cni.net.neighbour_frames import (
    ALL_NODES_MAC,
    ETH_P_ARP,
    ETH_P_IPV6,
    group_mac,
    probe,
    read_frame,
    solicited_group,
)
from cni.net.workers import OpenSandbox
from planes.model.addresses import IPAddress
from planes.model.mac import ETHERNET_BYTES, format_mac
from planes.model.spec.conflict_probe import ConflictProbe

_SOL_PACKET: Final = 263
_ADD_MEMBERSHIP: Final = 1
_MULTICAST: Final = 0
_MEMBERSHIP: Final = struct.Struct("@iHH8s")
"""`struct packet_mreq`: index of the link, kind, length and MAC of the group."""
_READ_BYTES: Final = 128  # more than any frame that decides has
_MOST_READ: Final = 32
_VIRTUAL_SECONDS: Final = 1.0
_PHYSICAL_SECONDS: Final = 3.0
"""The longest wait for a carrier: a cable's takes seconds after the link is brought up."""


Monotonic = Callable[[], float]
"""Returns seconds that only grow, as `time.monotonic`."""


class _Target(NamedTuple):
    """An address that is probed, and the socket that gets what decides."""

    address: IPAddress
    frame: bytes
    listener: socket.socket


class AddressProbe:
    """The probes of one interface, which `opened_probe` opens.

    Args:
        link: of the sandbox; it is up.
        sender: a socket in the sandbox.
        targets: the addresses.
        schedule: how often and how fast.
        clock: tells the time.
    """

    def __init__(
        self,
        link: Link,
        sender: socket.socket,
        targets: Sequence[_Target],
        schedule: ConflictProbe,
        clock: Monotonic,
    ) -> None:
        self._link = link
        self._mac = mac_bytes(link.mac)
        self._sender = sender
        self._targets = targets
        self._schedule = schedule
        self._clock = clock
        self._left = schedule.count
        self._due = clock()
        self._carrier_by = self._due + (_VIRTUAL_SECONDS if link.kind else _PHYSICAL_SECONDS)
        self._has_begun = False

    def look(self, sandbox: OpenSandbox) -> Mapping[IPAddress, str] | None:
        """Send what is due and read what came; None where it is not over.

        Returns:
            The addresses that are in use, each with the MAC of somebody who has it; {} where none
            is. Without a carrier there is nobody to ask, and none is.

        Raises:
            PlanesError: the link cannot be read.
        """
        now = self._clock()
        if not self._has_begun:
            link = _read(sandbox.channel, self._link.name)
            is_ready = link is not None and link.operstate in {OPERSTATE_UP, OPERSTATE_UNKNOWN}
            if not is_ready and now < self._carrier_by:
                return None
            if link is None or not link.has_carrier:
                return {}
            self._has_begun, self._due = True, now
        answered = self._answers()
        if answered:
            return answered
        if now < self._due:
            return None
        if not self._left:
            return {}
        self._left -= 1
        self._due = now + (self._schedule.interval if self._left else self._schedule.wait)
        for target in self._targets:
            with suppress(OSError):  # the link went down, or its queue is full: another follows
                self._sender.sendto(target.frame, (self._link.name, 0))
        return None

    def close(self) -> None:
        """Close the sockets; may be repeated."""
        self._sender.close()
        for target in self._targets:
            target.listener.close()

    def _answers(self) -> dict[IPAddress, str]:
        found: dict[IPAddress, str] = {}
        for target in self._targets:
            for frame in _received(target.listener):
                said = read_frame(frame)
                if said is None or said.address != target.address:
                    continue
                if said.is_asking and said.mac == self._mac:  # our own, from a loop of switches
                    continue
                found[target.address] = format_mac(said.mac)
                break
        return found


def opened_probe(
    host: Channel,
    sandbox: OpenSandbox,
    ifname: str,
    addresses: Sequence[IPAddress],
    *,
    schedule: ConflictProbe,
    clock: Monotonic,
) -> AddressProbe | None:
    """Bring an interface of the sandbox up and listen; None where it has none of Ethernet.

    Raises:
        PlanesError: the kernel refuses.
    """
    link = _read(sandbox.channel, ifname)
    if link is None or len(mac_bytes(link.mac)) != ETHERNET_BYTES:
        return None
    sandbox.channel.batch([set_flags(link, IFF_UP)])
    with ExitStack() as opened:
        targets = []
        try:
            with sandbox.inside():
                sender = opened.enter_context(packet_socket())
            for address in addresses:
                listener, where = _listener(host, sandbox, link)
                opened.enter_context(listener)
                _listen(listener, where, address)
                targets.append(_Target(address, probe(mac_bytes(link.mac), address), listener))
        except OSError as error:
            raise kernel_error(error.errno or 0, f"probe addresses on {ifname}") from error
        opened.pop_all()  # from here on `close` closes them
    return AddressProbe(link, sender, targets, schedule, clock)


def _listener(host: Channel, sandbox: OpenSandbox, link: Link) -> tuple[socket.socket, Link]:
    """Return a socket, and the link on which answers arrive.

    An ipvlan gets unicast frames by the address in them, so not those to 0.0.0.0: they are seen on
    its master, whose MAC it has.
    """
    if link.kind == "ipvlan":
        channel = host if link.is_parent_elsewhere else sandbox.channel
        masters = read_links(channel.batch([get_link_at(link.parent)])[0])
        if masters and link.is_parent_elsewhere:
            return packet_socket(), masters[0]  # the thread is in the host's namespace
        link = masters[0] if masters else link
    with sandbox.inside():
        return packet_socket(), link


def _listen(listener: socket.socket, link: Link, address: IPAddress) -> None:
    attach_filter(listener, address)
    listener.bind((link.name, ETH_P_ARP if address.version == 4 else ETH_P_IPV6))
    if address.version == 6:
        for group in (ALL_NODES_MAC, group_mac(solicited_group(address))):
            request = _MEMBERSHIP.pack(link.index, _MULTICAST, len(group), group)
            listener.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, request)


def _received(listener: socket.socket) -> list[bytes]:
    """Return what a socket has, up to a bound."""
    found: list[bytes] = []
    with suppress(BlockingIOError, OSError):  # also ENETDOWN, once after the link went down
        while len(found) < _MOST_READ:
            found.append(listener.recv(_READ_BYTES, socket.MSG_DONTWAIT))
    return found


def _read(channel: Channel, ifname: str) -> Link | None:
    links = read_links(channel.batch([find_link(ifname)])[0])
    return links[0] if links else None
