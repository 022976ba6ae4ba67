"""An HTTPS server that responds to API requests as a test scripts, one after the other."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from certs.bundle import Pair
from planes.kube.client.client import Client
from planes.kube.client.credentials import Access
from planes.kube.client.request import RequestLimits
from planes.kube.client.transport import Transport
from planes.run.clock import Clock, SystemClock
from tests.support.certificates import current, make_root, make_serving

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    client_serial: int | None = None


@dataclass(slots=True)
class ScriptedApi:
    """The script, and what was asked.

    Attributes:
        seen: all requests so far.
        port: where it listens, on 127.0.0.1.
        root: who signed its certificate.
    """

    root: Pair
    port: int = 0
    seen: list[Seen] = field(default_factory=list)
    _script: list[Answer] = field(default_factory=list)
    _otherwise: Answer | None = None

    def then(self, *answers: Answer) -> None:
        """Answer the next requests so."""
        self._script.extend(answers)

    def otherwise(self, answer: Answer) -> None:
        """Answer all requests so that are not in the script."""
        self._otherwise = answer

    @property
    def access(self) -> Access:
        """Anonymous access."""
        return Access(f"https://127.0.0.1:{self.port}", authority=self.root.certificate.pem)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        data = await request.read()
        body = orjson.loads(data) if data else None
        peer = request.transport.get_extra_info("peercert") if request.transport else None
        serial = int(peer["serialNumber"], 16) if peer else None
        headers = request.headers.copy()
        self.seen.append(
            Seen(request.method, request.path, dict(request.query), headers, body, serial)
        )
        answer = self._script.pop(0) if self._script else self._otherwise
        assert answer, f"nothing is written down for {request.method} {request.path}"
        return await answer(request)


@contextlib.asynccontextmanager
async def scripted_api(folder: Path, clients: bytes = b"") -> AsyncIterator[ScriptedApi]:
    """Serve inside the block; `clients` are certificates (PEM) that clients may show."""
    root = make_root(current())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pair = make_serving(root, current())
    (folder / "server.pem").write_bytes(pair.chain + pair.key)
    context.load_cert_chain(folder / "server.pem")
    if clients:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=clients.decode())
    api = ScriptedApi(root)
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", api.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        api.port = runner.addresses[0][1]
        yield api
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def client_of(
    api: ScriptedApi,
    access: Access | None = None,
    *,
    limits: RequestLimits | None = None,
    clock: Clock | None = None,
    page_size: int = 2,
) -> AsyncIterator[Client]:
    """A client with short deadlines."""
    limits = limits or RequestLimits(connect=2.0, total=2.0, idle=0.3)
    transport = Transport(
        access or api.access,
        user_agent="netplane-test/1",
        clock=clock or SystemClock(),
        limits=limits,
    )
    async with Client(transport, page_size=page_size, randomness=lambda: 0.0) as client:
        yield client


def says(body: Any, status: int = 200, **headers: str) -> Answer:
    """Answer with JSON."""

    async def answer(_: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        return web.Response(
            body=data, status=status, headers=named, content_type="application/json"
        )

    return answer


def refuses(code: int, reason: str = "", message: str = "", **headers: str) -> Answer:
    """Answer with a Status object."""
    return says(status_object(code, reason, message), code, **headers)


def status_object(code: int, reason: str = "", message: str = "", **more: Any) -> dict[str, Any]:
    """Return a Status object of a failure."""
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}
    return {**status, "reason": reason, "message": message, **more}


def streams(*parts: bytes | float, is_cut: bool = False) -> Answer:
    """Answer with a stream: bytes are sent, numbers are pauses; cut: without its proper end."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            for part in parts:
                if isinstance(part, bytes):
                    await response.write(part)
                else:
                    await asyncio.sleep(part)
            if is_cut and request.transport is not None:
                await response.drain()
                request.transport.close()
        return response

    return answer


def event(kind: str, obj: Any) -> bytes:
    """Return a line of a watch."""
    return orjson.dumps({"type": kind, "object": obj}) + b"\n"
