"""The token and TLS material for the API server, read again when they change on disk.

A user that logs in by a program has them from its credential plugin, see `PluginLogin`.

Invariant: a token is at most a minute older than its file; after a refusal everything is read
again. While a token is missing or empty, or a TLS file missing, the last good one stays in force.
TLS material is not checked here: `open_session` raises where it cannot be used.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from planes.kube.client.credential_plugin import PLUGIN_SECONDS, CredentialPlugin, PluginLogin
from planes.model.errors import Unavailable
from planes.run.clock import Clock

Source = bytes | Path
"""A secret, or the file that has it."""

TOKEN_SECONDS: Final = 60.0  # the kubelet rotates at 80 % of a lifetime of 10 minutes or more

_MAX_BYTES = 1 << 20

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Access:
    """The address of an API server and our credentials for it.

    Attributes:
        server: `https://HOST:PORT`, maybe with a path, without a final slash.
        authority: the CA certificates (PEM); None trusts those of the machine.
        server_name: the name its certificate is checked for; "" means the host's.
        proxy: URL of an HTTP proxy; "" means none, whatever the environment says.
        plugin: the program that logs in; then there is no token, certificate or key.
        namespace: what its user means who names none; "" where it is not said.
        plugin_seconds: that the program may take.
        impersonation: headers, by which we act as another user.
    """

    server: str
    authority: Source | None = field(default=None, repr=False)
    token: Source | None = field(default=None, repr=False)
    certificate: Source | None = field(default=None, repr=False)
    key: Source | None = field(default=None, repr=False)
    server_name: str = ""
    proxy: str = ""
    plugin: CredentialPlugin | None = None
    namespace: str = ""
    plugin_seconds: float = PLUGIN_SECONDS
    impersonation: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Material:
    """Certificates and key of a TLS connection, as read (PEM)."""

    authority: bytes | None = field(repr=False)
    certificate: bytes | None = field(repr=False)
    key: bytes | None = field(repr=False)


class Credentials:
    """The current token and TLS material of an `Access`."""

    def __init__(self, access: Access, clock: Clock) -> None:
        self._access = access
        self._clock = clock
        self._token = ""
        self._read_at = 0.0
        self._material: Material | None = None
        self._login: PluginLogin | None = None
        if access.plugin is not None:
            seconds = access.plugin_seconds
            self._login = PluginLogin(access.plugin, self._read_authority, clock, seconds=seconds)

    @property
    def running_plugin(self) -> str:
        """The name of the credential plugin that has begun and not ended, "" where none has."""
        return self._login.running if self._login is not None else ""

    async def token(self) -> str:
        """Return the bearer token, "" where there is none.

        Raises:
            Unavailable: there is a token file, but it was never readable; or the credential plugin
                failed.
        """
        if self._login is not None:
            return (await self._login.current()).token
        age = self._clock.monotonic() - self._read_at
        if self._access.token is not None and (not self._token or age >= TOKEN_SECONDS):
            await self._read_token(self._access.token)
        return self._token

    async def material(self) -> Material:
        """Return the TLS material.

        Raises:
            Unavailable: a file of it was never readable, or the credential plugin failed.
        """
        if self._material is None:
            self._material = await self._read_material()
        if self._login is None:
            return self._material
        given = await self._login.current()
        return replace(self._material, certificate=given.certificate, key=given.key)

    def forget(self) -> None:
        """Have the TLS material read again when it is next needed: it could not be used."""
        self._material = None
        if self._login is not None:
            self._login.forget()

    async def renew(self, *, is_login: bool) -> bool:
        """Read everything again, and report whether it changed.

        Args:
            is_login: the server refused our login, so a credential plugin runs again.
        """
        before = self._all()
        if self._access.token is not None:
            await self._read_token(self._access.token)
        try:
            self._material = await self._read_material()
            if self._login is not None and is_login:
                await self._login.renew()
        except Unavailable as error:
            _log.warning("credentials not read again", extra={"reason": str(error)})
        return self._all() != before

    def _all(self) -> tuple[object, ...]:
        return self._token, self._material, self._login.held if self._login else None

    async def _read_authority(self) -> bytes | None:
        source = self._access.authority
        return None if source is None else await _read(source)

    async def _read_token(self, source: Source) -> None:
        try:
            self._token = _checked(await _read(source))
        except Unavailable as error:
            if not self._token:
                raise
            _log.warning("token not read again", extra={"reason": str(error)})
        self._read_at = self._clock.monotonic()

    async def _read_material(self) -> Material:
        access = self._access
        parts = [
            None if source is None else await _read(source)
            for source in (access.authority, access.certificate, access.key)
        ]
        return Material(*parts)


def _checked(data: bytes) -> str:
    token = data.decode("ascii", "replace").strip()
    if not token or not token.isprintable() or not token.isascii():
        raise Unavailable(
            "cannot log in to the API server: what is in its place is not a token",
            remedy="check the token file",
        )
    return token


async def _read(source: Source) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        return await asyncio.to_thread(_read_file, source)
    except OSError as error:
        raise Unavailable(
            f"cannot read {source}: {error.strerror or error}",
            remedy="check that the file is there and that we may read it",
        ) from error


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MAX_BYTES)
