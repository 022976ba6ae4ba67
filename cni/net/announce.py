"""Announce to the other hosts of a segment which MAC has an address now.

The kernel does so as a link comes up (arp_notify, ndisc_notify), but the frames are lost where the
carrier comes later, as that of a virtual function does, and it does not where the link was up
before its addresses.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address

from cni.net.if_link import mac_bytes
from cni.net.links import Link
from cni.net.neighbour_frames import announcement
from cni.net.workers import OpenSandbox


def announce(sandbox: OpenSandbox, link: Link, addresses: Iterable[str]) -> None:
    """Send one frame for each address; what cannot be sent is left out.

    Args:
        sandbox: with the link.
        link: of Ethernet.
        addresses: without prefix length.
    """
    mac = mac_bytes(link.mac)
    with sandbox.inside(), suppress(OSError), packet_socket() as sender:
        for one in addresses:
            sender.sendto(announcement(mac, ip_address(one)), (link.name, 0))


def packet_socket() -> socket.socket:
    """Return a packet socket of the namespace that gets no frames until it is bound."""
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    return socket.socket(socket.AF_PACKET, kind, 0)
