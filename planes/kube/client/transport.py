"""Send requests and read streams over HTTPS, each with a deadline, and retry what may be retried.

Invariant: no request is sent twice that the server may have carried out. One is retried only where
the server did not process it: no connection, 429 with Retry-After, 401 with new credentials.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from urllib.parse import urlencode, urlsplit

import aiohttp
from yarl import URL

from planes.kube.client.attempts import Attempts, NotProcessed
from planes.kube.client.credentials import Access, Credentials
from planes.kube.client.request import Request, RequestLimits
from planes.kube.client.session_pool import SessionPool
from planes.kube.client.skim import Bound, Lines
from planes.kube.client.status_errors import refusal
from planes.kube.errors import IdleConnection
from planes.model.errors import JsonObject, PlanesError, Unavailable
from planes.run.clock import Clock


class Transport:
    """A pool of connections to one API server.

    Attributes:
        server_date: the header Date of the last response, "" where there was none.
    """

    def __init__(
        self, access: Access, *, user_agent: str, clock: Clock, limits: RequestLimits | None = None
    ) -> None:
        self.server_date = ""
        self._access = access
        self._clock = clock
        self._limits = limits or RequestLimits()
        self._credentials = Credentials(access, clock)
        self._sessions = SessionPool(access, self._credentials, user_agent)
        self._whole = self._timeout(self._limits.total)

    @property
    def namespace(self) -> str:
        """What the user means who names no namespace; "" where the kubeconfig does not say."""
        return self._access.namespace

    @property
    def server(self) -> str:
        """The host and port of the API server, without what a URL may have before an `@`."""
        return urlsplit(self._access.server).netloc.rpartition("@")[2]

    @property
    def running_plugin(self) -> str:
        """As `Credentials.running_plugin`."""
        return self._credentials.running_plugin

    async def close(self) -> None:
        """Close all connections; a later request opens new ones."""
        await self._sessions.close()

    async def send(self, request: Request) -> bytes:
        """Return the body of a successful response.

        Raises:
            PlanesError: as `planes.kube.errors` says.
        """
        attempts = Attempts(self._sessions, self._limits, self._clock)
        while True:
            attempts.begin()
            try:
                async with self._respond(request, self._whole) as response:
                    return await self._body(request, response)
            except NotProcessed as refused:
                await attempts.after(refused)

    async def chunks(
        self, request: Request, total: float | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Yield the body of a successful response as it comes, of any length.

        Args:
            request: the request to send.
            total: seconds until it is complete; `RequestLimits.total` unless given.

        Raises:
            PlanesError: as `planes.kube.errors` says.
        """
        attempts = Attempts(self._sessions, self._limits, self._clock)
        timeout = self._timeout(total) if total else self._whole
        while True:
            attempts.begin()
            try:
                async with self._respond(request, timeout) as response:
                    async for chunk in self._chunks(request, response):
                        yield chunk
                    return
            except NotProcessed as refused:
                await attempts.after(refused)

    async def lines(
        self, request: Request, bound: Bound
    ) -> AsyncGenerator[bytes | JsonObject, None]:
        """Yield the lines of a stream as they come, to its end in good order.

        An event over the bound comes as an outline, see `planes.kube.client.skim`. A stream that is
        silent for `RequestLimits.idle` ends here too: only a new one shows whether the connection
        is quiet or half open.

        Raises:
            Unavailable: it broke off.
            PlanesError: as `planes.kube.errors` says.
        """
        timeout = self._timeout(None)  # each chunk has one, see `_chunks`
        for has_renewed in (False, True):
            generation = self._sessions.generation
            try:
                async with (
                    self._respond(request, timeout) as response,
                    contextlib.aclosing(self._split(request, response, bound)) as lines,
                ):
                    async for line in lines:
                        yield line
                    return
            except NotProcessed as refused:
                is_over = has_renewed or not refused.is_about_us
                if is_over or not await self._sessions.renew(generation, is_login=refused.is_login):
                    raise refused.error from refused.__cause__

    async def _split(
        self, request: Request, response: aiohttp.ClientResponse, bound: Bound
    ) -> AsyncGenerator[bytes | JsonObject, None]:
        lines = Lines(bound, self._limits.line)
        with contextlib.suppress(IdleConnection):
            async for chunk in self._chunks(request, response):
                for line in lines.feed(chunk):
                    if line is None:
                        await asyncio.sleep(0)
                    else:
                        yield line
                if lines.is_endless:
                    raise _broken(request, f"an event is larger than {self._limits.line} bytes")
        if not lines.is_between:
            raise _broken(request, "the stream ended in the middle of an event")

    def _timeout(self, total: float | None) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(total=total, connect=self._limits.connect)

    @contextlib.asynccontextmanager
    async def _respond(
        self, request: Request, timeout: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        query = f"?{urlencode(request.params)}" if request.params else ""
        url = f"{self._access.server}{request.path}{query}"
        session = await self._sessions.take()
        try:
            response = await self._begin(session, request, URL(url, encoded=True), timeout)
            self.server_date = response.headers.get("Date", "")
            try:
                if response.status >= 300:
                    await self._refuse(request, response)
                yield response
            finally:
                response.close()
        finally:
            await self._sessions.give_back(session)

    async def _begin(
        self,
        session: aiohttp.ClientSession,
        request: Request,
        url: URL,
        timeout: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        """Send a request; return its response, of which the head has come."""
        try:
            async with asyncio.timeout(self._limits.total):
                return await session.request(
                    request.method,
                    url,
                    data=request.body,
                    headers=await self._headers(request),
                    timeout=timeout,
                    allow_redirects=False,  # our token is for this server alone
                    proxy=self._access.proxy or None,
                    server_hostname=self._access.server_name or None,
                )
        except aiohttp.ClientSSLError as error:
            is_login = not isinstance(error, aiohttp.ClientConnectorCertificateError)
            broken = _broken(request, _text(error), "" if is_login else _TRUST)
            raise NotProcessed(broken, is_about_us=True, is_login=is_login) from error
        except aiohttp.ClientConnectorError as error:
            raise NotProcessed(_broken(request, _text(error)), pause=0.0) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _broken(request, _text(error)) from error

    async def _headers(self, request: Request) -> list[tuple[str, str]]:
        headers = [("Accept", request.accept), *self._access.impersonation]
        if request.body is not None:
            headers.append(("Content-Type", request.content_type))
        if token := await self._credentials.token():
            headers.append(("Authorization", f"Bearer {token}"))
        return headers

    async def _refuse(self, request: Request, response: aiohttp.ClientResponse) -> None:
        body = b""
        with contextlib.suppress(PlanesError):
            async for chunk in self._chunks(request, response):
                body += chunk
                if len(body) > _MAX_STATUS_BYTES:
                    break
        error = refusal(request.asked, response.status, body)
        if response.status == 401:
            raise NotProcessed(error, is_about_us=True, is_login=True)
        if response.status == 429:
            after = response.headers.get("Retry-After", "1")
            raise NotProcessed(error, pause=float(after) if after.isdecimal() else None)
        raise error

    async def _body(self, request: Request, response: aiohttp.ClientResponse) -> bytes:
        """Read a body whole."""
        found, size = [], 0
        with _read_errors(request):
            async with asyncio.timeout(self._limits.total):
                while chunk := await response.content.readany():
                    size += len(chunk)
                    if size > self._limits.answer:
                        break
                    found.append(chunk)
        if size > self._limits.answer:
            raise _broken(request, f"the answer is larger than {self._limits.answer} bytes")
        return b"".join(found)

    async def _chunks(
        self, request: Request, response: aiohttp.ClientResponse
    ) -> AsyncIterator[bytes]:
        seconds = self._limits.idle if request.is_stream else self._limits.total
        with _read_errors(request):
            while True:
                # A timeout of our own: aiohttp's end silently where it cannot read the framing.
                async with asyncio.timeout(seconds):
                    chunk = await response.content.readany()
                if not chunk:
                    return
                yield chunk


@contextlib.contextmanager
def _read_errors(request: Request) -> Iterator[None]:
    """Raise what reading an answer raises as errors of ours."""
    try:
        yield
    except TimeoutError as error:
        raise IdleConnection(f"cannot {request.asked}: the answer stopped half-way") from error
    except (aiohttp.ClientError, OSError) as error:
        raise _broken(request, _text(error)) from error


_MAX_STATUS_BYTES = 1 << 16
_TRUST = "check certificate-authority and tls-server-name of the cluster, and its server's address"


def _broken(request: Request, cause: str, remedy: str = "") -> Unavailable:
    later = "try again later" if request.method == "GET" else "see whether it was done, try again"
    return Unavailable(f"cannot {request.asked}: {cause}", remedy=remedy or later)


def _text(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the answer ended half-way"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
        why = getattr(cause, "verify_message", "") or cause
        return f"the server's certificate is not trusted: {why}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection to {error.host}:{error.port}: {_connect_cause(error.os_error)}"
    return str(error) or type(error).__name__


def _connect_cause(error: OSError) -> str:
    """Return why a connection was not made; asyncio puts a text of its own in the place of it."""
    if error.errno is not None and error.errno > 0:  # those of getaddrinfo are below 0
        return os.strerror(error.errno)
    return error.strerror or str(error)
