"""A webhook on loopback over real TLS, and the peer that asks it as an API server does."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from certs.serving import RotatingContext
from planes.model.errors import JsonObject
from planes.run.clock import SystemClock
from planes.run.metrics import Metrics
from planes.store.protocol import Store
from tests.support.certificates import current, make_root, make_serving, trusting
from webhook.app import HANDLERS, App, ReviewHandler
from webhook.limits import AdmissionLimits
from webhook.metrics import ReviewMetrics
from webhook.readiness import unready_reasons
from webhook.review_log import ReviewLog
from webhook.server import AdmissionServer

HOST = "127.0.0.1"
UID = "0b1e4f4e-0000-4000-8000-000000000001"


def pod_object(
    name: str = "web-0", namespace: str = "shop", annotations: Mapping[str, str] | None = None
) -> JsonObject:
    """Return a pod manifest."""
    meta: JsonObject = {"name": name, "namespace": namespace}
    if annotations:
        meta["annotations"] = dict(annotations)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": {"containers": [{"name": "main", "image": "app"}]},
    }


def review_object(
    obj: JsonObject | None, *, operation: str = "CREATE", old: JsonObject | None = None, **more: Any
) -> JsonObject:
    """Return an AdmissionReview for a pod; `more` replaces members of its request."""
    meta = (obj or old or {}).get("metadata", {})
    request: JsonObject = {
        "uid": UID,
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "name": meta.get("name", ""),
        "namespace": meta.get("namespace", "shop"),
        "operation": operation,
        "userInfo": {"username": "alice", "groups": ["system:authenticated"]},
        "object": obj,
        "oldObject": old,
        "dryRun": False,
        **more,
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def response(self) -> JsonObject:
        """The response part of an AdmissionReview."""
        answer: JsonObject = orjson.loads(self.body)["response"]
        return answer


class Peer:
    """One kept-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def ask(
        self,
        path: str,
        body: bytes | JsonObject = b"",
        *,
        method: str = "POST",
        content_type: str = "application/json",
        headers: str = "",
    ) -> Reply:
        """Send a request and read its answer."""
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        self.writer.write(
            (
                f"{method} {path} HTTP/1.1\r\nHost: webhook\r\nContent-Type: {content_type}\r\n"
                f"{headers}Content-Length: {len(data)}\r\n\r\n"
            ).encode()
            + data
        )
        return await self.reply()

    async def reply(self, *, has_body: bool = True) -> Reply:
        """Read one answer; that to a HEAD has no body."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {
            key.lower(): value for key, value in (line.split(": ", 1) for line in head[1:] if line)
        }
        length = int(headers.get("content-length", "0")) if has_body else 0
        body = await self._reader.readexactly(length)
        return Reply(int(head[0].split(" ")[1]), headers, body)

    async def is_closed(self) -> bool:
        """Wait for the end of the connection."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            return await self._reader.read(1) == b""
        return True

    async def close(self) -> None:
        """Close the connection."""
        self.writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self.writer.wait_closed()


@dataclass
class Hook:
    """A webhook that listens."""

    app: App
    server: AdmissionServer
    client: ssl.SSLContext
    context: RotatingContext
    metrics: Metrics
    peers: list[Peer] = field(default_factory=list)

    async def connect(self) -> Peer:
        """Open a connection; closed with the webhook."""
        reader, writer = await asyncio.open_connection(
            HOST, self.server.port, ssl=self.client, server_hostname="localhost"
        )
        peer = Peer(reader, writer)
        self.peers.append(peer)
        return peer

    async def ask(self, path: str, body: bytes | JsonObject = b"", **more: str) -> Reply:
        """Ask over a new connection."""
        peer = await self.connect()
        return await peer.ask(path, body, **more)

    def metric(self, name: str, **labels: str) -> float:
        """Read a metric's value, 0 where it was never set."""
        return self.metrics.registry.get_sample_value(f"netplane_{name}", labels) or 0.0


@contextlib.asynccontextmanager
async def hooked(
    store: Store,
    *,
    limits: AdmissionLimits | None = None,
    handlers: Mapping[str, ReviewHandler] = HANDLERS,
    grace_seconds: float = 0.0,
    port: int = 0,
) -> AsyncIterator[Hook]:
    """Run a webhook over a store."""
    root = make_root(current())
    context = RotatingContext()
    context.swap(make_serving(root, current()))
    metrics = Metrics()
    reviews = ReviewMetrics(metrics, handlers)
    bounds = limits or AdmissionLimits()
    app = App(
        store,
        metrics=reviews,
        limits=bounds,
        review_log=ReviewLog(SystemClock()),
        unready=lambda: unready_reasons(store, is_served=context.pair is not None),
        handlers=handlers,
    )
    server = AdmissionServer(
        app.handle,
        drain=app.drain,
        context=context.listener,
        limits=bounds,
        metrics=reviews,
        grace_seconds=grace_seconds,
    )
    await server.start(HOST, port)
    hook = Hook(app, server, trusting(root), context, metrics)
    try:
        yield hook
    finally:
        for peer in hook.peers:
            await peer.close()
        await server.drain()
