"""Serves the shim, and whoever speaks Multus' protocol, on the daemon's unix socket.

Paths: `/v1/cni` for the shim; `/cni` and `/delegate` as Multus has them; `/healthz`, `/readyz`,
`/metrics`. Every connection must come from root or from our own user. HTTP 503 means "surely not
carried out", and the shim tries again; any other failure to answer means "perhaps carried out".
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from aiohttp import web

from cni.serving.calls import Calls, Observe
from cni.serving.listener import Listener, listen, peer_uid
from cni.serving.multus_protocol import Delegates, InterfaceAttributes, multus_body, parse_multus
from cni.serving.protocol import BODY_LIMIT, EXIT_HEADER, HEAD_LIMIT, PATH, Answer, Verbs, refusal
from cni.serving.request import CniRequest, parse_request
from planes.model.errors import BadInput, CniCode, PlanesError
from planes.run.clock import Clock
from planes.run.metrics import CONTENT_TYPE

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_logger: Final = logging.getLogger(__name__)
_BACKLOG_SECONDS: Final = 0.05  # those who connected before the socket went away get their 503


class Server:
    """The daemon's door.

    Args:
        verbs: carries out the calls.
        path: of the socket.
        clock: measures calls.
        readiness: gives why the daemon is not ready, "" where it is.
        metrics: gives the body of /metrics.
        delegates: carries out Multus' /delegate; without it there is no such path.
        observe: told of every call.
        deadline: seconds a call may take; below the 240 s that the shim waits.
        drain: seconds that calls in flight get when the server stops.
        halt: ends all programs; called when calls do not end after that.
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
    ) -> None:
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
            started: set as soon as the socket takes calls.

        Raises:
            PlanesError: the socket cannot be bound.
        """
        listener = await asyncio.to_thread(listen, self._path)
        runner = web.AppRunner(
            self._application(),
            access_log=None,
            shutdown_timeout=1.0,  # of idle connections; calls are over by then
            max_line_size=HEAD_LIMIT,
            max_field_size=HEAD_LIMIT,
        )
        try:
            await runner.setup()
            await web.SockSite(runner, listener.socket).start()
            _logger.info("serving", extra={"socket": os.fspath(self._path)})
            if started is not None:
                started.set()
            await asyncio.Event().wait()
        finally:
            await self._stop(listener, runner)

    async def _stop(self, listener: Listener, runner: web.AppRunner) -> None:
        self._is_draining = True
        try:
            await asyncio.to_thread(listener.withdraw)
            await asyncio.sleep(_BACKLOG_SECONDS)
            await self._calls.drain(self._drain)
        finally:
            await runner.cleanup()
            listener.socket.close()

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[_check_peer], client_max_size=BODY_LIMIT)
        app.router.add_post(PATH, self._serve_cni)
        app.router.add_post("/cni", self._serve_multus)
        if self._delegates is not None:
            app.router.add_post("/delegate", self._serve_delegate)
        for method in ("GET", "POST"):  # Multus' shim asks with POST
            app.router.add_route(method, "/healthz", self._serve_health)
            app.router.add_route(method, "/readyz", self._serve_readiness)
        app.router.add_get("/metrics", self._serve_metrics)
        return app

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
        return web.Response(status=503 if reason else 200, text=f"{reason or 'ok'}\n")

    async def _serve_metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics(), headers={"Content-Type": CONTENT_TYPE})


def _refused(error: PlanesError) -> Answer:
    _logger.warning("request refused", extra={"code": int(error.cni_code), "reason": str(error)})
    return refusal(error)


_JSON: Final = {"Content-Type": "application/json"}


@web.middleware
async def _check_peer(request: web.Request, handler: Handler) -> web.StreamResponse:
    transport = request.transport
    connection = transport.get_extra_info("socket") if transport is not None else None
    if connection is None or peer_uid(connection) not in {0, os.geteuid()}:
        raise web.HTTPForbidden(text="only root may call the netplane daemon\n")
    return await handler(request)
