"""The TLS session that requests share, opened anew when the credentials change.

Invariant: nothing new is sent on a session that was replaced; it is closed when its last request
has ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter

import aiohttp

from planes.kube.client.credentials import Access, Credentials, Material
from planes.kube.client.session import open_session
from planes.model.errors import BadInput

_log = logging.getLogger(__name__)


class SessionPool:
    """The session for an `Access`, made when it is first used.

    Attributes:
        generation: how often `renew` has changed the credentials.
    """

    def __init__(self, access: Access, credentials: Credentials, user_agent: str) -> None:
        self.generation = 0
        self._access = access
        self._credentials = credentials
        self._user_agent = user_agent
        self._material: Material | None = None
        self._session: aiohttp.ClientSession | None = None
        self._requests: Counter[aiohttp.ClientSession] = Counter()
        self._renewals = 0
        self._lock = asyncio.Lock()

    async def close(self) -> None:
        """Close all connections; a later request opens new ones."""
        sessions = {*self._requests, *([self._session] if self._session else ())}
        self._session = None
        for session in sessions:
            await session.close()

    async def take(self) -> aiohttp.ClientSession:
        """Return the session for one request; `give_back` follows at the end of it.

        Raises:
            Unavailable: the credentials were never readable.
            BadInput: the CA, certificate or key cannot be used.
        """
        session = self._session
        if session is None or self._access.plugin is not None or self._lock.locked():
            session = await self._current()
        self._requests[session] += 1
        return session

    async def give_back(self, session: aiohttp.ClientSession) -> None:
        """End a request of a session; one that was replaced is closed with its last request.

        Args:
            session: as `take` returned it.
        """
        self._requests[session] -= 1
        if not self._requests[session]:
            del self._requests[session]
            if session is not self._session:
                await session.close()

    async def renew(self, generation: int, *, is_login: bool) -> bool:
        """Read the credentials again, once for all refused requests; report a change.

        Args:
            generation: as it was when the refused request was sent.
            is_login: the server refused our login.
        """
        renewals = self._renewals
        async with self._lock:
            if generation != self.generation:
                return True
            if renewals != self._renewals:
                return False  # while we waited another request did it, and nothing has changed
            has_changed = await self._credentials.renew(is_login=is_login)
            self._renewals += 1
            if not has_changed:
                return False
            self.generation += 1
            if self._session is not None:
                await self._reopen(self._session)
            return True

    async def _current(self) -> aiohttp.ClientSession:
        async with self._lock:
            if self._session is None:
                self._material = await self._credentials.material()
                try:
                    self._session = open_session(self._access, self._material, self._user_agent)
                except BadInput:
                    self._credentials.forget()  # it may be half written: the next request reads it
                    raise
            elif self._access.plugin is not None:  # its certificate may be about to expire
                await self._reopen(self._session)
            return self._session

    async def _reopen(self, session: aiohttp.ClientSession) -> None:
        material = await self._credentials.material()
        if material == self._material:
            return
        self._material = material
        try:
            self._session = open_session(self._access, material, self._user_agent)
        except BadInput as error:
            _log.warning("credentials not taken", extra={"reason": str(error)})
            return
        if not self._requests[session]:
            await session.close()
