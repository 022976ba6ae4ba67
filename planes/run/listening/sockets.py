"""Listening sockets of an address and port."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any, Final

_BACKLOG: Final = 1024
_KERNEL_BYTES: Final = 128 << 10


def listen(host: str, port: int) -> list[socket.socket]:
    """Listen, without blocking, on every address of a host; "" for every address there is.

    Raises:
        OSError: none of the addresses can be listened on, or one of them is taken.
    """
    found: list[socket.socket] = []
    unusable: OSError | None = None
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            try:
                found.append(_listening(family, kind, protocol, address))
            except OSError as error:
                # An image or node without IPv6 still has addresses in its tables.
                if error.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                    raise
                unusable = error
    except OSError:
        for each in found:
            each.close()
        raise
    if not found and unusable is not None:
        raise unusable
    return found


def _listening(family: int, kind: int, protocol: int, address: tuple[Any, ...]) -> socket.socket:
    found = socket.socket(family, kind, protocol)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Inherited by accepted sockets: what the kernel keeps of a peer whose bytes are not read.
        found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _KERNEL_BYTES)
        if family == socket.AF_INET6:
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        found.setblocking(False)
        found.bind(address)
        found.listen(_BACKLOG)
    except OSError as error:
        found.close()
        kept = _inherited(family, address) if error.errno == errno.EADDRINUSE else None
        if kept is None:
            raise
        return kept
    return found


def _inherited(family: int, address: tuple[Any, ...]) -> socket.socket | None:
    """Return the socket that this process inherited from `early` for an address; None without.

    It is inheritable, as no socket that Python makes is.
    """
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        try:
            if not os.get_inheritable(number):
                continue
            found = socket.socket(fileno=number)
        except OSError:  # no socket, or the descriptor that the directory was read through
            continue
        is_it = found.family == family and found.getsockname()[:2] == address[:2]
        if is_it and found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            found.set_inheritable(False)
            found.setblocking(False)
            return found
        found.detach()
    return None
