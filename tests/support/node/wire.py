"""A segment as a test sees it: what was sent on it, and hosts that answer there."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cni.net import namespaces
from cni.net.neighbour_frames import Neighbour, announcement, read_frame
from tests.support.node.netns import Namespace

ALL_PROTOCOLS = 3  # ETH_P_ALL
LIAR = bytes.fromhex("02babababa01")

Seen = tuple[float, Neighbour]
"""A frame about an address, and when it came."""


def packet_socket_in(where: Namespace, ifname: str) -> socket.socket:
    """Return a socket that gets all frames of an interface of a namespace."""
    made: list[socket.socket] = []

    def make() -> None:
        fd = namespaces.open_netns(where.path)
        try:
            namespaces.enter(fd)
            kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK
            one = socket.socket(socket.AF_PACKET, kind, socket.htons(ALL_PROTOCOLS))
            one.bind((ifname, ALL_PROTOCOLS))
            made.append(one)
        finally:
            os.close(fd)

    thread = threading.Thread(target=make)  # it ends in the other namespace
    thread.start()
    thread.join()
    return made[0]


@contextmanager
def recorded(where: Namespace, ifname: str = "eth1") -> Iterator[list[Seen]]:
    """Record what arrives about addresses; the list is filled at the end of the block."""
    seen: list[Seen] = []
    with _served(where, ifname, lambda _sock, said: seen.append((time.monotonic(), said))):
        yield seen


@contextmanager
def answering(
    where: Namespace, ifname: str = "eth1", *, only: Callable[[str], bool] = lambda _address: True
) -> Iterator[None]:
    """Have a host answer to probes for addresses, whatever they are, with the MAC `LIAR`."""

    def answer(sock: socket.socket, said: Neighbour) -> None:
        if said.is_asking and said.mac != LIAR and only(str(said.address)):
            sock.send(announcement(LIAR, said.address))

    with _served(where, ifname, answer):
        yield


@contextmanager
def _served(
    where: Namespace, ifname: str, use: Callable[[socket.socket, Neighbour], None]
) -> Iterator[None]:
    sock = packet_socket_in(where, ifname)
    wake, waker = os.pipe()
    thread = threading.Thread(target=_serve, args=(sock, wake, use))
    thread.start()
    try:
        yield
    finally:
        os.close(waker)
        thread.join()
        os.close(wake)
        sock.close()


def _serve(sock: socket.socket, wake: int, use: Callable[[socket.socket, Neighbour], None]) -> None:
    while True:
        ready, _, _ = select.select([sock.fileno(), wake], [], [])
        if sock.fileno() in ready:
            frame, (_, _, kind, *_) = sock.recvfrom(256)
            said = read_frame(frame)
            if said is not None and kind != socket.PACKET_OUTGOING:
                use(sock, said)
        elif wake in ready:
            return
