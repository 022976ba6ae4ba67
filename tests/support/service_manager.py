"""The socket of a service manager, as systemd has it: what a program tells is read from it."""

from __future__ import annotations

import socket
import time


class ManagerSocket:
    """The socket of a service manager, and what it was told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{name[1:]}" if name.startswith("@") else name)
        self._socket.setblocking(False)

    def told(self) -> list[str]:
        """The datagrams since the last look."""
        found = []
        try:
            while True:
                found.append(self._socket.recv(4096).decode())
        except BlockingIOError:
            return found

    def close(self) -> None:
        self._socket.close()

    def until(self, wanted: str, seconds: float = 20.0) -> list[str]:
        """Read until a line is told; return all lines up to the end of its datagram."""
        self._socket.settimeout(seconds)
        lines: list[str] = []
        deadline = time.monotonic() + seconds
        while wanted not in lines:
            assert time.monotonic() < deadline, lines
            lines += self._socket.recv(4096).decode().split("\n")
        return lines
