"""A daemon of scripted bytes: answers, or misbehaves, exactly as a test says."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

Script = Callable[[socket.socket], None]


def receive(connection: socket.socket) -> bytes:
    """Read one whole request."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    chunks = [body]
    missing = length - len(body)
    while missing > 0:
        chunk = connection.recv(min(missing, 1 << 20))
        assert chunk, "the shim sent less than it announced"
        chunks.append(chunk)
        missing -= len(chunk)
    return head + b"\r\n\r\n" + b"".join(chunks)


def answer(body: bytes, status: int = 0, *, http: bytes = b"200 OK") -> bytes:
    """Return the bytes of an answer."""
    head = b"HTTP/1.1 %s\r\nCni-Exit: %d\r\nContent-Length: %d\r\n\r\n"
    return head % (http, status, len(body)) + body


class RawDaemon:
    """Serves one connection after the other on a thread, each by the next script."""

    def __init__(self, path: Path, *scripts: Script) -> None:
        self.requests: list[bytes] = []
        self._scripts = scripts
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(8)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """Stop; connections that no script waits for are refused from now on."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(20)
        self._listener.close()
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        for script in self._scripts:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(BrokenPipeError, ConnectionResetError):
                script(connection)


@contextlib.contextmanager
def daemon(path: Path, *data: bytes) -> Iterator[RawDaemon]:
    """Make a daemon that answers one connection with each of the given bytes."""
    requests: list[bytes] = []

    def saying(said: bytes) -> Script:
        def script(connection: socket.socket) -> None:
            requests.append(receive(connection))
            connection.sendall(said)

        return script

    with scripted(path, *map(saying, data)) as made:
        made.requests = requests
        yield made


@contextlib.contextmanager
def scripted(path: Path, *scripts: Script) -> Iterator[RawDaemon]:
    """Make a daemon that treats one connection by each of the scripts."""
    made = RawDaemon(path, *scripts)
    try:
        yield made
    finally:
        made.close()
        path.unlink()
