"""Lists the sockets that listen in the node's network namespace, from /proc.

Read only for pods with host ports. TCP listeners come first in their tables, so many connections
cost nothing. No port is bound as a test: a service that is starting could not bind it meanwhile.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from threading import Lock
from typing import Final, Protocol

from planes.model.addresses import IPAddress
from planes.run.jobs import start

_LISTENING: Final = "0A"  # TCP_LISTEN (include/net/tcp_states.h)
_UNCONNECTED: Final = "07"  # TCP_CLOSE: a UDP socket without a peer
_MOST_LINES: Final = 1 << 16  # of one table that are read
_MOST_DESCRIPTORS: Final = 1 << 17  # of all processes, in a search for the holder of a socket
_MOST_REMEMBERED: Final = 256  # sockets whose holders are known
_TABLES: Final = (
    ("tcp", "tcp", _LISTENING),
    ("tcp", "tcp6", _LISTENING),
    ("udp", "udp", _UNCONNECTED),
    ("udp", "udp6", _UNCONNECTED),
)

Port = tuple[str, int]
"""Protocol in lower case, and number."""


@dataclass(frozen=True, slots=True)
class ListeningSocket:
    """A listening TCP socket, or a UDP socket without a peer.

    Attributes:
        address: the one it is bound to; None for all addresses of the node.
        process: name and pid of its holder, e.g. `nginx (pid 7)`; "" where unknown.
    """

    protocol: str
    port: int
    address: IPAddress | None
    process: str = ""


class ListeningSockets(Protocol):
    """Lists the listening sockets of the node."""

    async def on(self, ports: Collection[Port]) -> tuple[ListeningSocket, ...]:
        """Return the sockets that listen on any of the ports."""
        ...


class ProcListeningSockets:
    """Reads them from procfs.

    Args:
        proc: where it is mounted; `self/net` is the node's network namespace, as the daemon's main
            thread never leaves it.
    """

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._holders: dict[str, Path | None] = {}
        self._lock = Lock()

    async def on(self, ports: Collection[Port]) -> tuple[ListeningSocket, ...]:
        """Return the sockets that listen on any of the ports, with their processes."""
        return await start(lambda: self._look(frozenset(ports)))

    def _look(self, ports: frozenset[Port]) -> tuple[ListeningSocket, ...]:
        found: dict[str, ListeningSocket] = {}
        for protocol, table, state in _TABLES:
            if any(protocol == wanted for wanted, _ in ports):
                with suppress(OSError), (self._proc / "self/net" / table).open() as lines:
                    found |= _listeners(lines, protocol, state, ports)
        with self._lock:  # one search at a time
            names = self._processes({inode for inode in found if inode != "0"})
        return tuple(
            ListeningSocket(one.protocol, one.port, one.address, names.get(inode, ""))
            for inode, one in found.items()
        )

    def _processes(self, inodes: set[str]) -> dict[str, str]:
        """Return the name of each socket's process, by inode, as far as it can be read.

        The search reads all descriptors of the node, once for each socket: a pod that is refused
        again and again does not repeat it.
        """
        new = {inode for inode in inodes if not self._is_known(inode)}
        if new:
            if len(self._holders) > _MOST_REMEMBERED:
                self._holders.clear()
            self._holders.update(dict.fromkeys(new))
            self._holders.update(self._search(new))
        links = {inode: self._holders.get(inode) for inode in inodes}
        return {inode: _name(link.parent.parent) for inode, link in links.items() if link}

    def _is_known(self, inode: str) -> bool:
        """Report whether the last search for a socket's holder is still right."""
        if inode not in self._holders:
            return False
        link = self._holders[inode]
        with suppress(OSError):
            return link is None or os.readlink(link) == _socket(inode)
        return False

    def _search(self, inodes: set[str]) -> dict[str, Path]:
        wanted = {_socket(inode): inode for inode in inodes}
        found: dict[str, Path] = {}
        for number, link in enumerate(self._descriptors()):
            if len(found) == len(wanted) or number >= _MOST_DESCRIPTORS:
                break
            with suppress(OSError):
                inode = wanted.get(os.readlink(link))
                if inode is not None:
                    found.setdefault(inode, link)
        return found

    def _descriptors(self) -> Iterator[Path]:
        for process in self._proc.iterdir():
            if process.name.isdecimal():
                with suppress(OSError):
                    yield from (process / "fd").iterdir()


def _listeners(
    lines: Iterable[str], protocol: str, state: str, ports: frozenset[Port]
) -> dict[str, ListeningSocket]:
    """Read a table (Documentation/networking/proc_net_tcp.rst), by inode."""
    found: dict[str, ListeningSocket] = {}
    for number, line in enumerate(lines):
        columns = line.split()
        if number == 0 or len(columns) < 10:
            continue
        if (protocol == "tcp" and columns[3] != state) or number > _MOST_LINES:
            break  # listeners come first
        address, _, port = columns[1].partition(":")
        if columns[3] == state and (protocol, int(port, 16)) in ports:
            listener = ListeningSocket(protocol, int(port, 16), _address(address))
            found[columns[9]] = listener
    return found


def _address(text: str) -> IPAddress | None:
    """Parse an address of /proc, words of 32 bits in host byte order: `0100007F` is 127.0.0.1."""
    data = bytes.fromhex(text)
    words = [data[at : at + 4] for at in range(0, len(data), 4)]
    if sys.byteorder == "little":
        words = [word[::-1] for word in words]
    packed = b"".join(words)
    address: IPAddress = IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return None if address.is_unspecified else address


def _socket(inode: str) -> str:
    return f"socket:[{inode}]"


def _name(process: Path) -> str:
    with suppress(OSError):
        return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
    return f"pid {process.name}"
