"""Real TLS over loopback: what a client sees while certificates change."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

import pytest

from certs.bundle import Pair
from certs.serving import RotatingContext
from planes.model.errors import BadInput
from tests.support.certificates import current, make_root, make_serving, trusting

HOST = "127.0.0.1"


@contextlib.asynccontextmanager
async def listening(context: RotatingContext) -> AsyncIterator[int]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while data := await reader.read(100):
                writer.write(data)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, HOST, 0, ssl=context.listener)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


async def served_serial(port: int, client: ssl.SSLContext, name: str | None = None) -> int:
    _, writer = await asyncio.open_connection(HOST, port, ssl=client, server_hostname=name)
    certificate = writer.get_extra_info("ssl_object").getpeercert()
    writer.close()
    await writer.wait_closed()
    return int(certificate["serialNumber"], 16)


@pytest.mark.parametrize("name", ["localhost", HOST])
async def test_clients_get_the_pair_by_name_and_by_address(name: str) -> None:
    """A client that dials an address sends no SNI; the callback runs all the same."""
    root = make_root(current())
    context = RotatingContext()
    context.swap(make_serving(root, current(), 5))
    async with listening(context) as port:
        assert await served_serial(port, trusting(root), name) == 5


async def test_before_the_first_pair_a_handshake_fails_cleanly() -> None:
    async with listening(RotatingContext()) as port:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await served_serial(port, trusting(make_root(current())))


async def test_tls_1_2_is_refused() -> None:
    root = make_root(current())
    context = RotatingContext()
    context.swap(make_serving(root, current()))
    assert context.listener.minimum_version is ssl.TLSVersion.TLSv1_3
    client = trusting(root)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    async with listening(context) as port:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await served_serial(port, client)


async def test_a_bad_pair_is_refused_and_the_last_one_stays() -> None:
    root = make_root(current())
    good, other = make_serving(root, current(), 5), make_serving(root, current(), 6)
    context = RotatingContext()
    context.swap(good)
    with pytest.raises(BadInput, match="TLS does not accept the pair"):
        context.swap(Pair(other.certificate, good.key))
    async with listening(context) as port:
        assert await served_serial(port, trusting(root)) == 5


async def test_an_open_connection_survives_a_swap() -> None:
    root = make_root(current())
    context = RotatingContext()
    context.swap(make_serving(root, current(), 5))
    async with listening(context) as port:
        client = trusting(root)
        reader, writer = await asyncio.open_connection(HOST, port, ssl=client)
        context.swap(make_serving(root, current(), 6))
        writer.write(b"still here")
        assert await reader.readexactly(10) == b"still here"
        assert await served_serial(port, client) == 6
        writer.close()
        await writer.wait_closed()


async def test_a_hundred_swaps_under_load_fail_no_handshake_and_drop_no_connection() -> None:
    """Each swap changes the root too; clients trust both, as during an overlap."""
    old, new = make_root(current(), 1), make_root(current(), 2)
    pairs = [make_serving(root, current(), 10 + n) for n, root in enumerate([old, new] * 2)]
    context = RotatingContext()
    context.swap(pairs[0])
    stop = asyncio.Event()

    async def dial(port: int, client: ssl.SSLContext) -> int:
        count = 0
        while not stop.is_set():
            await served_serial(port, client)
            count += 1
        return count

    async def talk(port: int, client: ssl.SSLContext) -> int:
        reader, writer = await asyncio.open_connection(HOST, port, ssl=client)
        count = 0
        while not stop.is_set():
            writer.write(b"x")
            count += len(await reader.readexactly(1))
        writer.close()
        await writer.wait_closed()
        return count

    async with listening(context) as port:
        client = trusting(old, new)
        async with asyncio.TaskGroup() as group:
            dialling = [group.create_task(dial(port, client)) for _ in range(4)]
            talking = group.create_task(talk(port, client))
            for swap in range(1, 101):
                context.swap(pairs[swap % 4])
                await asyncio.sleep(0.005)
            stop.set()
        assert sum(task.result() for task in dialling) > 50
        assert talking.result() > 50
