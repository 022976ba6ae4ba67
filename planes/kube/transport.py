"""Requests and streams over HTTPS, with a deadline each, and what the network does to them.

Invariant: nothing is sent twice that the server may have acted on. What is tried again was
refused before it was looked at: no connection, 429 with Retry-After, 401 with new credentials.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from planes.kube.credentials import Access, Credentials, Material
from planes.kube.errors import Silent
from planes.kube.refusal import refusal
from planes.kube.request import Limits, Request
from planes.kube.session import open_session
from planes.kube.skim import Bound, Lines
from planes.model.errors import BadInput, JsonObject, PlanesError, Unavailable
from planes.run.clock import Clock

_log = logging.getLogger(__name__)


class _Refused(Exception):
    """The server has not looked at the request: it may be sent again.

    Attributes:
        pause: seconds to wait before, 0 for as we like, None where waiting is of no use.
        is_about_us: other credentials may help.
    """

    def __init__(
        self, error: PlanesError, *, pause: float | None = None, is_about_us: bool = False
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.pause = pause
        self.is_about_us = is_about_us


class Transport:
    """A pool of connections to one API server."""

    def __init__(
        self, access: Access, *, user_agent: str, clock: Clock, limits: Limits | None = None
    ) -> None:
        self._access = access
        self._user_agent = user_agent
        self._clock = clock
        self._limits = limits or Limits()
        self._credentials = Credentials(access, clock)
        self._material: Material | None = None
        self._session: aiohttp.ClientSession | None = None
        self._retired: list[aiohttp.ClientSession] = []
        self._turn = asyncio.Lock()
        self._generation = 0

    async def close(self) -> None:
        """Close all connections; a later request opens new ones."""
        sessions, self._retired = self._retired, []
        if self._session is not None:
            sessions.append(self._session)
            self._session = None
        for session in sessions:
            await session.close()

    async def send(self, request: Request) -> bytes:
        """Give the body of a successful answer.

        Raises:
            PlanesError: as `planes.kube.errors` says.
        """
        async with contextlib.aclosing(self.chunks(request)) as chunks:
            found = []
            size = 0
            async for chunk in chunks:
                size += len(chunk)
                if size > self._limits.answer:
                    raise _broken(request, f"the answer is larger than {self._limits.answer} bytes")
                found.append(chunk)
            return b"".join(found)

    async def chunks(
        self, request: Request, total: float | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Give the body of a successful answer as it comes, of any length.

        Args:
            request: what is asked.
            total: seconds until it is complete; `Limits.total` unless given.

        Raises:
            PlanesError: as `planes.kube.errors` says.
        """
        limits = self._limits
        timeout = aiohttp.ClientTimeout(total=total or limits.total, connect=limits.connect)
        has_renewed = False
        tries = 0
        while True:
            tries += 1
            generation = self._generation
            try:
                async with self._respond(request, timeout) as response:
                    async for chunk in self._chunks(request, response):
                        yield chunk
                    return
            except _Refused as refused:
                if refused.is_about_us and not has_renewed:
                    has_renewed = True
                    if await self._renew(generation):
                        continue
                pause = refused.pause
                if pause is None or pause > limits.pause or tries >= limits.tries:
                    raise refused.error from refused.__cause__
                await self._clock.sleep(pause or _PAUSE_SECONDS * 2**tries)

    async def lines(
        self, request: Request, bound: Bound
    ) -> AsyncGenerator[bytes | JsonObject, None]:
        """Give the lines of a stream as they come, to its end in good order.

        Of an event that is over the bound an outline is given, see `planes.kube.skim`. A stream
        that is silent for `Limits.idle` ends here too: whether it is quiet or half open shows when
        it is opened anew.

        Raises:
            Unavailable: it broke off.
            PlanesError: as `planes.kube.errors` says.
        """
        connect, idle = self._limits.connect, self._limits.idle
        timeout = aiohttp.ClientTimeout(total=None, connect=connect, sock_read=idle)
        for has_renewed in (False, True):
            generation = self._generation
            try:
                async with (
                    self._respond(request, timeout) as response,
                    contextlib.aclosing(self._split(request, response, bound)) as lines,
                ):
                    async for line in lines:
                        yield line
                    return
            except _Refused as refused:
                is_over = has_renewed or not refused.is_about_us
                if is_over or not await self._renew(generation):
                    raise refused.error from refused.__cause__

    async def _split(
        self, request: Request, response: aiohttp.ClientResponse, bound: Bound
    ) -> AsyncGenerator[bytes | JsonObject, None]:
        lines = Lines(bound, self._limits.line)
        with contextlib.suppress(Silent):
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

    @contextlib.asynccontextmanager
    async def _respond(
        self, request: Request, timeout: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        query = f"?{urlencode(request.params)}" if request.params else ""
        url = URL(f"{self._access.server}{request.path}{query}", encoded=True)
        session = await self._open()
        try:
            async with asyncio.timeout(self._limits.total):
                response = await session.request(
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
            raise _Refused(_broken(request, _text(error)), is_about_us=True) from error
        except aiohttp.ClientConnectorError as error:
            raise _Refused(_broken(request, _text(error)), pause=0.0) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _broken(request, _text(error)) from error
        try:
            if response.status >= 300:
                await self._refuse(request, response)
            yield response
        finally:
            response.close()

    async def _headers(self, request: Request) -> dict[str, str]:
        headers = {"Accept": request.accept}
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        if token := await self._credentials.token():
            headers["Authorization"] = f"Bearer {token}"
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
            raise _Refused(error, is_about_us=True)
        if response.status == 429:
            after = response.headers.get("Retry-After", "1")
            raise _Refused(error, pause=float(after) if after.isdecimal() else None)
        raise error

    async def _chunks(
        self, request: Request, response: aiohttp.ClientResponse
    ) -> AsyncIterator[bytes]:
        # Of our own: aiohttp's timeouts end where it cannot read the framing, and it tells nobody.
        seconds = self._limits.idle if request.is_stream else self._limits.total
        try:
            while True:
                async with asyncio.timeout(seconds):
                    chunk = await response.content.readany()
                if not chunk:
                    return
                yield chunk
        except TimeoutError as error:
            raise Silent(f"cannot {request.asked}: the answer stopped half-way") from error
        except (aiohttp.ClientError, OSError) as error:
            raise _broken(request, _text(error)) from error

    async def _open(self) -> aiohttp.ClientSession:
        async with self._turn:
            if self._session is None:
                self._material = await self._credentials.material()
                try:
                    self._session = open_session(self._access, self._material, self._user_agent)
                except BadInput:
                    self._credentials.forget()  # it may be half written: the next request reads it
                    raise
            return self._session

    async def _renew(self, generation: int) -> bool:
        """Read our credentials again, once for all who were refused; tell of a change."""
        async with self._turn:
            if generation != self._generation:
                return True
            if not await self._credentials.renew():
                return False
            self._generation += 1
            if self._session is not None:
                self._session = await self._reopen(self._session)
            return True

    async def _reopen(self, session: aiohttp.ClientSession) -> aiohttp.ClientSession:
        material = await self._credentials.material()
        if material == self._material:
            return session
        try:
            opened = open_session(self._access, material, self._user_agent)
        except BadInput as error:
            _log.warning("credentials not taken", extra={"reason": str(error)})
            return session
        # What still runs on the old connections may go on; nothing new is sent there.
        self._retired.append(session)
        self._material = material
        return opened


_PAUSE_SECONDS = 0.1  # doubled with each try
_MAX_STATUS_BYTES = 1 << 16


def _broken(request: Request, cause: str) -> Unavailable:
    remedy = "try again later" if request.method == "GET" else "see whether it was done, try again"
    return Unavailable(f"cannot {request.asked}: {cause}", remedy=remedy)


def _text(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"the server's certificate is not trusted: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection to {error.host}:{error.port}: {error.os_error.strerror or error}"
    return str(error) or type(error).__name__
