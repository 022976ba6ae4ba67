"""What is left of a TLS session that was closed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from planes.kube.client.credentials import Access
from planes.kube.resources import PODS
from planes.model.errors import BadInput
from tests.support.certificates import current, make_root, make_serving
from tests.support.kube.scripted_api import ScriptedApi, client_of


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[ScriptedApi]:
    """Return a server that reads one request and then neither answers, reads nor closes."""
    root = make_root(current())
    pair = make_serving(root, current())
    (tmp_path / "server.pem").write_bytes(pair.chain + pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    done = threading.Event()

    def serve(listener: socket.socket) -> None:
        with listener, context.wrap_socket(listener.accept()[0], server_side=True) as accepted:
            accepted.recv(1 << 16)
            done.wait(20)

    listener = socket.create_server(("127.0.0.1", 0))
    serving = threading.Thread(target=serve, args=(listener,))
    serving.start()
    yield ScriptedApi(root, port=listener.getsockname()[1])
    done.set()
    serving.join()


def sockets_to(port: int) -> list[int]:
    """Return the descriptors of this process that are connected to `port`."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(int(name))) as opened:
            if opened.getpeername() == ("127.0.0.1", port):
                found.append(int(name))
    return found


async def test_no_socket_is_open_after_close_though_a_request_was_cancelled(
    silent: ScriptedApi,
) -> None:
    async with client_of(silent) as client:
        asking = asyncio.create_task(client.get(PODS, "web", namespace="shop"))
        await asyncio.sleep(0.3)
        assert len(sockets_to(silent.port)) == 1
        asking.cancel()
        await asyncio.wait([asking])
        assert len(sockets_to(silent.port)) == 1  # it waits for the server's part of the shutdown
    assert sockets_to(silent.port) == []


async def test_an_empty_ca_file_does_not_mean_the_cas_of_the_machine(api: ScriptedApi) -> None:
    access = Access(f"https://127.0.0.1:{api.port}", authority=b"")
    async with client_of(api, access) as client:
        with pytest.raises(BadInput, match="cannot set up TLS"):
            await client.get(PODS, "web", namespace="shop")
