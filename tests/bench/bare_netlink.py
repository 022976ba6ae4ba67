"""The kernel's own part of a macvlan attach: the messages we send, encoded beforehand.

No event loop, threads, checks or addresses to allocate: what is left is two sockets and the
kernel. Used by one thread that lives in the host's namespace.
"""

from __future__ import annotations

import os
import socket
import struct

from cni.net import namespaces
from cni.net.addresses import add_address
from cni.net.links import (
    IFF_UP,
    MACVLAN_MODES,
    Placement,
    delete_link,
    find_link,
    new_macvlan,
    read_links,
    set_flags,
)
from cni.net.netlink import NLMSG_ERROR, Message, messages
from tests.support.netns import Namespace

_INDEX_OFFSET = 20  # of the interface index, in ifinfomsg and ifaddrmsg alike


class BareMacvlan:
    """Attaches and detaches one macvlan with one address; made in its thread."""

    def __init__(self, sandbox: Namespace, master: str, ifname: str, address: str) -> None:
        self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._there = namespaces.open_netns(sandbox.path)
        self._host = _socket()
        self._find_master = find_link(master).encode(1)
        found = _ask(self._host, self._find_master, 1)
        link = read_links(found)[0]
        to = Placement(ifname, self._there)
        self._create = new_macvlan(to, master=link, mode=MACVLAN_MODES["bridge"]).encode(2)
        self._find = find_link(ifname).encode(3)
        self._address = bytearray(add_address(0, ifname, address).encode(4))
        self._up = bytearray(set_flags(link, IFF_UP).encode(5))
        self._delete = delete_link(ifname).encode(6)

    def close(self) -> None:
        """Close what it holds open."""
        self._host.close()
        os.close(self._there)
        os.close(self._home)

    def add(self) -> None:
        """Attach."""
        _ask(self._host, self._find_master, 1)
        _ask(self._host, self._create, 1)
        inside = self._enter()
        try:
            answer = _ask(inside, self._find, 1)[0]
            index = struct.unpack_from("=i", answer.payload, 4)[0]
            for message in (self._address, self._up):
                struct.pack_into("=i", message, _INDEX_OFFSET, index)
            _ask(inside, bytes(self._address + self._up), 2)
        finally:
            inside.close()

    def delete(self) -> None:
        """Detach: one link, one grace period."""
        inside = self._enter()
        try:
            _ask(inside, self._find, 1)
            _ask(inside, self._delete, 1)
        finally:
            inside.close()

    def _enter(self) -> socket.socket:
        namespaces.enter(self._there)
        try:
            return _socket()
        finally:
            namespaces.enter(self._home)


def _socket() -> socket.socket:
    made = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
    )
    made.bind((0, 0))
    return made


def _ask(channel: socket.socket, data: bytes, acknowledgements: int) -> list[Message]:
    """Send messages and wait for as many acknowledgements; the other answers."""
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
