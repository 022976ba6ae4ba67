"""A socket that answers as the daemon of Multus' thick form does, while a test needs one."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@contextmanager
def multus_daemon(directory: Path) -> Iterator[Path]:
    """Serve `multus.sock` in a directory; the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(directory / "multus.sock"))
        server.listen()
        thread = threading.Thread(target=_serve, args=(server,))
        thread.start()
        try:
            yield directory
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            (directory / "multus.sock").unlink()


def _serve(server: socket.socket) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        with client:
            client.recv(4096)
            client.sendall(_ANSWER)
