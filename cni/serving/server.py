"""The HTTP server on the daemon's unix socket, for the shim and for clients of Multus' protocol.

The shim's own requests are read by `cni.serving.shim_port`, all others by aiohttp.
Paths: `/v1/cni` for the shim; `/cni` and `/delegate` as Multus has them; `/healthz`, `/readyz`,
`/metrics`; `/v1/forget` and others for an administrator's commands. Every connection must come from
root or from our own user. HTTP 503 means that the call was not carried out, and the shim retries
it; any other failure to answer means that it may have been.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from aiohttp import web

from cni.call import CniRequest, parse_call
from cni.serving.calls import Calls, Observe
from cni.serving.listener import Listener, listen, peer_uid
from cni.serving.multus_protocol import Delegates, InterfaceAttributes, multus_body, parse_multus
from cni.serving.protocol import (
    BODY_LIMIT,
    EXIT_HEADER,
    HEAD_LIMIT,
    PATH,
    Answer,
    Verbs,
    parse_request,
    refusal,
)
from cni.serving.shim_port import ShimPort
from planes.model.decode import Fields, loads_object
from planes.model.encode import dumps
from planes.model.errors import BadInput, CniCode, JsonObject, PlanesError
from planes.run.clock import Clock
from planes.run.metrics import CONTENT_TYPE

FORGET_PATH: Final = "/v1/forget"


class Forget(Protocol):
    """Drops what cannot be detached: `cni.reconcile.pending_removal`."""

    async def __call__(self, container: str, *, is_forced: bool) -> Sequence[JsonObject]:
        """Return what was dropped.

        Raises:
            PlanesError: it may not be dropped, or is not known.
        """
        ...


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Command = Callable[[JsonObject], Awaitable[JsonObject]]
"""Answers the request of an administrator's command; raises `PlanesError`."""

_logger: Final = logging.getLogger(__name__)
_BACKLOG_SECONDS: Final = 0.05  # clients that connected before the unlink get their 503


class Server:
    """The daemon's server.

    Args:
        verbs: carries out the calls.
        path: of the socket.
        clock: measures calls.
        readiness: returns why the daemon is not ready, "" where it is.
        metrics: returns the body of /metrics.
        delegates: carries out Multus' /delegate; without it there is no such path.
        observe: called after each call.
        deadline: seconds a call may take; below the 240 s that the shim waits.
        drain: seconds to wait for calls in flight when the server stops.
        halt: kills all plugin binaries; called when calls do not end after that.
        notes: returns what /readyz adds where the daemon is ready.
        forget: drops what of a container cannot be detached; without it there is no such path.
        commands: by name: each is at `/v1/<name>`.
    """

    def __init__(
        self,
        verbs: Verbs,
        path: Path,
        clock: Clock,
        *,
        readiness: Callable[[], str] = lambda: "",
        metrics: Callable[[], bytes] = lambda: b"",
        delegates: Delegates | None = None,
        observe: Observe = lambda _verb, _code, _seconds: None,
        deadline: float = 120.0,
        drain: float = 30.0,
        halt: Callable[[], None] = lambda: None,
        notes: Callable[[], str] = lambda: "",
        forget: Forget | None = None,
        commands: Mapping[str, Command] | None = None,
    ) -> None:
        self._commands = commands or {}
        self._notes = notes
        self._forget = forget
        self._verbs = verbs
        self._path = path
        self._readiness = readiness
        self._metrics = metrics
        self._delegates = delegates
        self._drain = drain
        self._calls = Calls(clock, observe, deadline, halt)
        self._is_draining = False

    async def run(self, started: asyncio.Event | None = None) -> None:
        """Serve until cancelled, then drain.

        Args:
            started: set as soon as the socket accepts calls.

        Raises:
            PlanesError: the socket cannot be bound.
        """
        listener = await asyncio.to_thread(listen, self._path)
        port: ShimPort | None = None
        runner = web.AppRunner(
            self._application(),
            access_log=None,
            shutdown_timeout=1.0,  # of idle connections; calls are over by then
            max_line_size=HEAD_LIMIT,
            max_field_size=HEAD_LIMIT,
        )
        try:
            await runner.setup()
            port = ShimPort(listener.socket, self, partial(_protocol, runner))
            port.open()
            _logger.info("serving", extra={"socket": os.fspath(self._path)})
            if started is not None:
                started.set()
            await asyncio.Event().wait()
        finally:
            await self._stop(listener, port, runner)

    def may_call(self, connection: socket.socket) -> bool:
        """Report whether a peer may call: it is root, or our own user."""
        return peer_uid(connection) in {0, os.geteuid()}

    def is_stopping(self) -> bool:
        """Report whether no call is begun any more."""
        return self._is_draining

    async def call(self, variables: Mapping[str, str], stdin: bytes) -> Answer:
        """Carry out a call of the shim; see `ShimCalls`."""
        try:
            request = parse_call(variables, stdin)
        except PlanesError as error:
            return _refused(error)
        return await self._calls.carry_out_here(request, self._verbs.handle)

    async def _stop(self, listener: Listener, port: ShimPort | None, runner: web.AppRunner) -> None:
        self._is_draining = True
        try:
            await asyncio.to_thread(listener.withdraw)
            await asyncio.sleep(_BACKLOG_SECONDS)
            await self._calls.drain(self._drain)
        finally:
            if port is not None:
                await port.close()
            await runner.cleanup()
            listener.socket.close()

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[self._check_peer], client_max_size=BODY_LIMIT)
        app.router.add_post(PATH, self._serve_cni)
        app.router.add_post("/cni", self._serve_multus)
        if self._delegates is not None:
            app.router.add_post("/delegate", self._serve_delegate)
        for method in ("GET", "POST"):  # Multus' shim asks with POST
            app.router.add_route(method, "/healthz", self._serve_health)
            app.router.add_route(method, "/readyz", self._serve_readiness)
        app.router.add_get("/metrics", self._serve_metrics)
        app.router.add_post(FORGET_PATH, self._serve_forget)
        for name, command in self._commands.items():
            app.router.add_post(f"/v1/{name}", partial(self._serve_command, command))
        return app

    @web.middleware
    async def _check_peer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        transport = request.transport
        connection = transport.get_extra_info("socket") if transport is not None else None
        if connection is None or not self.may_call(connection):
            raise web.HTTPForbidden(text="only root may call the netplane daemon\n")
        return await handler(request)

    async def _serve_cni(self, http: web.Request) -> web.Response:
        try:
            body = await self._body(http)
            request = parse_request(http.headers, body)
        except PlanesError as error:
            answer = _refused(error)
        else:
            answer = await self._calls.carry_out(request, self._verbs.handle)
        return web.Response(
            body=answer.stdout, headers={EXIT_HEADER: str(answer.exit_status), **_JSON}
        )

    async def _serve_multus(self, http: web.Request) -> web.Response:
        async def handle(request: CniRequest, _: InterfaceAttributes) -> bytes:
            return await self._verbs.handle(request)

        return await self._answer_multus(http, handle)

    async def _serve_delegate(self, http: web.Request) -> web.Response:
        if self._delegates is None:
            raise web.HTTPNotFound
        return await self._answer_multus(http, self._delegates.delegate)

    async def _answer_multus(
        self,
        http: web.Request,
        work: Callable[[CniRequest, InterfaceAttributes], Awaitable[bytes]],
    ) -> web.Response:
        try:
            request, attributes = parse_multus(await self._body(http))
            answer = await self._calls.carry_out(request, lambda call: work(call, attributes))
            if not answer.code:
                return web.Response(body=multus_body(request, answer), headers=_JSON)
        except PlanesError as error:
            answer = _refused(error)
        return web.Response(status=400, body=answer.stdout, headers=_JSON)

    async def _body(self, http: web.Request) -> bytes:
        try:
            body = await http.read()
        except web.HTTPRequestEntityTooLarge as error:
            raise BadInput(
                f"cannot read the network configuration: larger than {BODY_LIMIT >> 20} MiB",
                code=CniCode.DECODE,
            ) from error
        except (ConnectionError, web.RequestPayloadError) as error:
            raise BadInput(
                "cannot read the network configuration: the request was cut or garbled",
                code=CniCode.IO,
            ) from error
        if self._is_draining:
            raise web.HTTPServiceUnavailable(text="the netplane daemon is stopping\n")
        return body

    async def _serve_health(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _serve_readiness(self, _: web.Request) -> web.Response:
        reason = "stopping" if self._is_draining else self._readiness()
        if reason:
            return web.Response(status=503, text=f"{reason}\n")
        return web.Response(text="; ".join(filter(None, ("ok", self._notes()))) + "\n")

    async def _serve_forget(self, http: web.Request) -> web.Response:
        if self._forget is None:
            raise web.HTTPNotFound
        try:
            asked = Fields(loads_object(await self._body(http), "the request"), "the request")
            given = await self._forget(asked.string("container"), is_forced=asked.boolean("force"))
        except PlanesError as error:
            return web.Response(status=400, body=_refused(error).stdout, headers=_JSON)
        return web.Response(body=dumps({"givenUp": given}, "the answer"), headers=_JSON)

    async def _serve_command(self, command: Command, http: web.Request) -> web.Response:
        try:
            answer = await command(loads_object(await self._body(http), "the request"))
        except PlanesError as error:
            return web.Response(status=400, body=_refused(error).stdout, headers=_JSON)
        return web.Response(body=dumps(answer, "the answer"), headers=_JSON)

    async def _serve_metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics(), headers={"Content-Type": CONTENT_TYPE})


def _refused(error: PlanesError) -> Answer:
    _logger.warning("request refused", extra={"code": int(error.cni_code), "reason": str(error)})
    return refusal(error)


_JSON: Final = {"Content-Type": "application/json"}


def _protocol(runner: web.AppRunner) -> asyncio.Protocol:
    """Return aiohttp's protocol for one connection."""
    if runner.server is None:
        raise RuntimeError("cannot serve before the runner is set up")
    return runner.server()
