"""One client process: TLS connections that send the same request again and again.

Requests are bytes made beforehand, one in flight for each connection. There is no HTTP library, so
that the server is measured and not this process. Prints one JSON object: requests, seconds, cpu.
"""

from __future__ import annotations

import argparse
import json
import socket
import ssl
import sys
import time
from pathlib import Path

_BUFFER_BYTES = 1 << 16


def main() -> None:
    """Send requests for the given time."""
    parser = argparse.ArgumentParser()
    for name in ("--port", "--connections"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    for name in ("--path", "--body", "--ca"):
        parser.add_argument(name, required=True)
    given = parser.parse_args()
    body = Path(given.body).read_bytes()
    head = (
        f"POST {given.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    request = head.encode() + body
    context = ssl.create_default_context(cafile=given.ca)
    connections = [_connect(context, given.port) for _ in range(given.connections)]
    size = _answer_bytes(connections[0], request)
    sys.stdout.write(json.dumps(_ask(connections, request, size, given.seconds)) + "\n")


def _connect(context: ssl.SSLContext, port: int) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", port))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(plain, server_hostname="localhost")


def _answer_bytes(connection: ssl.SSLSocket, request: bytes) -> int:
    """Send one request and return the length of the response, which is the same every time."""
    connection.sendall(request)
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(_BUFFER_BYTES)
    head, _, rest = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200") or b'"allowed":true' not in data:
        raise RuntimeError(data[:500].decode("utf-8", "replace"))
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(rest) < length:
        rest += connection.recv(_BUFFER_BYTES)
    return len(head) + 4 + length


def _ask(
    connections: list[ssl.SSLSocket], request: bytes, size: int, seconds: float
) -> dict[str, float]:
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    begin, cpu = time.perf_counter(), time.process_time()
    deadline = begin + seconds
    count = 0
    while time.perf_counter() < deadline:
        for connection in connections:
            connection.sendall(request)
        for connection in connections:
            missing = size
            while missing > 0:
                missing -= connection.recv_into(buffer)
            if missing or bytes(buffer[:12]) != b"HTTP/1.1 200":
                raise RuntimeError(bytes(buffer[:500]).decode("utf-8", "replace"))
        count += len(connections)
    return {
        "requests": count,
        "seconds": time.perf_counter() - begin,
        "cpu": time.process_time() - cpu,
    }


if __name__ == "__main__":
    main()
