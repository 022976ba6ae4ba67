"""What peers without a certificate do to admission's port, each with many connections at once.

A connection that is closed on the peer is opened again: the attack goes on at full strength.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

HOST: Final = "127.0.0.1"
_HEAD: Final = (
    "POST /mutate/pods HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    "Content-Length: {}\r\n\r\n"
)
_GONE: Final = (OSError, EOFError, ssl.SSLError, asyncio.IncompleteReadError)


@dataclass(frozen=True, slots=True)
class Target:
    """The port that is attacked, and how to speak TLS with it; plain HTTP without a context."""

    port: int
    context: ssl.SSLContext | None = None

    async def plain(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect without a handshake."""
        return await asyncio.open_connection(HOST, self.port)

    async def greeted(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect, with the handshake where there is one."""
        return await asyncio.open_connection(HOST, self.port, ssl=self.context)

    def hello(self) -> bytes:
        """Return a ClientHello."""
        outgoing = ssl.MemoryBIO()
        side = (self.context or ssl.create_default_context()).wrap_bio(ssl.MemoryBIO(), outgoing)
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
        return outgoing.read()


Peer = Callable[[Target], Awaitable[None]]


async def silent(target: Target) -> None:
    """Connect and say nothing."""
    reader, writer = await target.plain()
    try:
        await reader.read(1)
    finally:
        writer.close()


async def half_a_hello(target: Target) -> None:
    """Begin a handshake, and end in the middle of its first message."""
    reader, writer = await target.plain()
    try:
        writer.write(target.hello()[:100])
        await reader.read(1)
    finally:
        writer.close()


async def stalled_handshake(target: Target) -> None:
    """Take the server's part of the handshake, and do not answer it."""
    reader, writer = await target.plain()
    try:
        writer.write(target.hello())
        while await reader.read(65536):
            pass
    finally:
        writer.close()


async def handshakes(target: Target) -> None:
    """Shake hands, leave, and come again."""
    _, writer = await target.greeted()
    writer.transport.abort()


async def greeted_and_silent(target: Target) -> None:
    """Shake hands and ask nothing."""
    reader, writer = await target.greeted()
    try:
        await reader.read(1)
    finally:
        writer.transport.abort()


async def idle(target: Target) -> None:
    """Ask once, and keep the connection."""
    reader, writer = await target.greeted()
    try:
        writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        while await reader.read(65536):
            pass
    finally:
        writer.transport.abort()


async def scrape(target: Target) -> None:
    """Ask for the metrics again and again."""
    reader, writer = await target.greeted()
    try:
        while True:
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
            await reader.readexactly(int(length))
    finally:
        writer.transport.abort()


async def slow_body(target: Target) -> None:
    """Send a body byte by byte."""
    reader, writer = await target.greeted()
    answer = asyncio.ensure_future(reader.read(1))
    try:
        writer.write(_HEAD.format(100_000).encode())
        while not answer.done():
            writer.write(b"{")
            await asyncio.wait({answer}, timeout=0.2)
    finally:
        answer.cancel()
        writer.transport.abort()


async def many_lists(target: Target, size: int = 3 << 20) -> None:
    """Send a body of tiny lists, as large as is taken, again and again."""
    reader, writer = await target.greeted()
    body = b"[" + b"[]," * (size // 3 - 1) + b"0]"
    try:
        while True:
            writer.write(_HEAD.format(len(body)).encode())
            writer.write(body)
            await writer.drain()
            await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.transport.abort()


async def too_many_lists(target: Target) -> None:
    """Send a body of 7 MiB of tiny lists."""
    await many_lists(target, 7 << 20)


async def endless_head(target: Target) -> None:
    """Send a request whose head has no end."""
    _, writer = await target.greeted()
    try:
        writer.write(b"GET /livez HTTP/1.1\r\n")
        for number in range(1 << 20):
            await _check(writer)
            writer.write(b"X-%d: " % number + b"y" * 8000 + b"\r\n")
            await writer.drain()
    finally:
        writer.transport.abort()


async def small_lists(target: Target) -> None:
    """Send bodies of tiny lists, each just small enough to be parsed at once."""
    await many_lists(target, 60 << 10)


async def tiny_chunks(target: Target) -> None:
    """Send a body in chunks of one byte, as fast as they are taken."""
    _, writer = await target.greeted()
    head = _HEAD.replace("Content-Length: {}", "Transfer-Encoding: chunked")
    try:
        writer.write(head.encode())
        while True:
            await _check(writer)
            writer.write(b"1\r\n \r\n" * 2000)
            await writer.drain()
    finally:
        writer.transport.abort()


async def unread_answers(target: Target) -> None:
    """Ask without end and read no answer."""
    reader, writer = await target.greeted()
    reader._transport.pause_reading()  # type: ignore[attr-defined]
    body = b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u"}}'
    try:
        while True:
            await _check(writer)
            writer.write((_HEAD.format(len(body)).encode() + body) * 8)
            await writer.drain()
    finally:
        writer.transport.abort()


async def _check(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0)  # let the loop see that the connection has gone
    if writer.transport.is_closing():
        raise ConnectionResetError


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack: what each peer does, and how many do."""

    what: str
    peer: Peer
    count: int


ATTACKS: Final[Mapping[str, Attack]] = {
    "silent": Attack("1,000 silent connections", silent, 1000),
    "half-hello": Attack("500 that end inside a ClientHello", half_a_hello, 500),
    "stalled": Attack("500 that stop inside the handshake", stalled_handshake, 500),
    "handshakes": Attack("handshakes without end, 32 at once", handshakes, 32),
    "greeted": Attack("600 silent after the handshake", greeted_and_silent, 600),
    "idle": Attack("600 idle keep-alives", idle, 600),
    "slow-bodies": Attack("150 slow bodies", slow_body, 150),
    "lists": Attack("16 bodies of 3 MiB of `[],`, again and again", many_lists, 16),
    "too-many-lists": Attack("16 bodies of 7 MiB of `[],`, again and again", too_many_lists, 16),
    "small-lists": Attack("150 bodies of 60 KiB of `[],`, again and again", small_lists, 150),
    "chunks": Attack("64 bodies in chunks of one byte", tiny_chunks, 64),
    "heads": Attack("64 heads without end", endless_head, 64),
    "unread": Attack("64 that read no answers", unread_answers, 64),
}

# Of whoever reaches a metrics port, which speaks plain HTTP.
ON_METRICS: Final[Mapping[str, Attack]] = {
    "silent": Attack("1,000 silent connections to the metrics port", silent, 1000),
    "idle": Attack("300 idle keep-alives", idle, 300),
    "scrapes": Attack("20 that ask for the metrics without end", scrape, 20),
}


async def carry_out(target: Target, attack: Attack) -> None:
    """Attack until cancelled."""

    async def again() -> None:
        while True:
            with contextlib.suppress(*_GONE):
                await attack.peer(target)
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as group:
        for _ in range(attack.count):
            group.create_task(again())
