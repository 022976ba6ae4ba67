"""The kernel's part of attaching links: the messages we send, encoded beforehand.

There is no event loop, no thread change, no check and no address to allocate: only two sockets and
the kernel. It is used by one thread in the host's namespace.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from cni.net import namespaces
from cni.net.addresses import add_address
from cni.net.if_link import IFF_UP
from cni.net.link_changes import delete_link, set_flags
from cni.net.links import Link, find_link, read_links
from cni.net.netlink import NLMSG_ERROR, Message, NetlinkRequest, messages
from tests.support.node.netns import Namespace

_INDEX_OFFSET = 20  # of the interface index, in ifinfomsg and ifaddrmsg alike


class BareNetlink:
    """Sockets of the thread's namespace and, while it is needed, of a sandbox.

    Attributes:
        host: the socket in the host's namespace.
        there: descriptor of the sandbox's namespace, for new links.
    """

    def __init__(self, sandbox: Namespace) -> None:
        self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.there = namespaces.open_netns(sandbox.path)
        self.host = _socket()

    def close(self) -> None:
        """Close what it has open."""
        self.host.close()
        os.close(self.there)
        os.close(self._home)

    @contextmanager
    def inside(self) -> Iterator[socket.socket]:
        """Enter the sandbox to open a socket there; close it at the end of the block."""
        namespaces.enter(self.there)
        try:
            made = _socket()
        finally:
            namespaces.enter(self._home)
        try:
            yield made
        finally:
            made.close()

    def find(self, *names: str) -> list[Link]:
        """Return links of the host."""
        return read_links(ask(self.host, *encoded(find_link(name) for name in names)))


class BareLink:
    """Attaches and detaches one link with one address; made in its thread.

    Args:
        netlink: the sockets.
        create: makes the link in the sandbox; sent on the host.
        ifname: its name.
        address: with prefix length.
        master: a link of the host that is looked up first, as every plugin does; "" for none.
    """

    def __init__(
        self,
        netlink: BareNetlink,
        create: NetlinkRequest,
        ifname: str,
        address: str,
        master: str = "",
    ) -> None:
        self._netlink = netlink
        self._master = encoded([find_link(master)]) if master else None
        self._create = encoded([create])
        self._find = encoded([find_link(ifname)])
        link = Link(0, ifname, "", 0, 0, "", 0, 0, 0, 0, False)
        self._setup = [add_address(0, ifname, address), set_flags(link, IFF_UP)]
        self._delete = encoded([delete_link(ifname)])

    def add(self) -> None:
        """Attach."""
        if self._master is not None:
            ask(self._netlink.host, *self._master)
        ask(self._netlink.host, *self._create)
        with self._netlink.inside() as inside:
            index = index_of(ask(inside, *self._find)[0])
            ask(inside, *at_index([(one, index) for one in self._setup]))

    def delete(self) -> None:
        """Detach: one link, one grace period."""
        with self._netlink.inside() as inside:
            ask(inside, *self._find)
            ask(inside, *self._delete)


def index_of(answer: Message) -> int:
    """Return the index of a link in the kernel's answer."""
    index: int = struct.unpack_from("=i", answer.payload, 4)[0]
    return index


def at_index(requests: Sequence[tuple[NetlinkRequest, int]]) -> tuple[bytes, int]:
    """Encode requests about links whose indexes are known only now."""
    parts = []
    for number, (request, index) in enumerate(requests, 1):
        data = bytearray(request.encode(number))
        struct.pack_into("=i", data, _INDEX_OFFSET, index)
        parts.append(data)
    return b"".join(parts), len(parts)


def encoded(requests: Iterator[NetlinkRequest] | Sequence[NetlinkRequest]) -> tuple[bytes, int]:
    """Return the bytes of requests, and how many there are, for `ask`."""
    parts = [one.encode(number) for number, one in enumerate(requests, 1)]
    return b"".join(parts), len(parts)


def ask(channel: socket.socket, data: bytes, acknowledgements: int) -> list[Message]:
    """Send messages and wait for as many acknowledgements; return the other answers."""
    channel.send(data)
    answers = []
    while acknowledgements:
        for message in messages(channel.recv(65536)):
            if message.kind != NLMSG_ERROR:
                answers.append(message)
                continue
            acknowledgements -= 1
            number = -struct.unpack_from("=i", message.payload)[0]
            if number:
                raise OSError(number, os.strerror(number))
    return answers


def _socket() -> socket.socket:
    made = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
    )
    made.bind((0, 0))
    return made
