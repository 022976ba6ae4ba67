"""Log in by a credential plugin: a program that prints an `ExecCredential`, as client-go runs it.

    {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
     "status": {"token": "…", "expirationTimestamp": "2026-11-21T08:23:36Z"}}

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins

`ExecProvider.run` of kubernetes_asyncio is not used: it has no deadline, reads any length, blocks
where a program fills stderr, and quotes stderr in its error.

Invariant: a program has a deadline, and its output a bound. Neither output nor stderr is shown.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import math
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from planes.model.errors import JsonObject, Unavailable
from planes.run.clock import Clock

PLUGIN_SECONDS: Final = 30.0
MAX_OUTPUT: Final = 1 << 20
EARLY_SECONDS: Final = 60.0  # before it expires a credential is renewed; 20 % of a short lifetime
RETRY_SECONDS: Final = 10.0  # after a failure, while the credential that we have is valid

_KILL_SECONDS = 1.0
_CHUNK = 1 << 16

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CredentialPlugin:
    """The program of a kubeconfig's `exec` user.

    Attributes:
        command: the program and its arguments; without a `/` it is looked for in PATH.
        api_version: that it must print, `client.authentication.k8s.io/v1` or `v1beta1`.
        env: its whole environment, except KUBERNETES_EXEC_INFO.
        cluster: `spec.cluster` of its input without the CA, None where it asks for none.
    """

    command: tuple[str, ...] = field(repr=False)
    api_version: str
    env: Mapping[str, str] = field(repr=False)
    cluster: JsonObject | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The program's name without its folder, for texts."""
        return os.path.basename(self.command[0])


@dataclass(frozen=True, slots=True)
class PluginCredential:
    """A token, or a client certificate with its key (PEM), or both.

    Attributes:
        expires: in seconds since 1970, infinite where the program names no time.
    """

    token: str = field(repr=False)
    certificate: bytes | None = field(repr=False)
    key: bytes | None = field(repr=False)
    expires: float = field(compare=False)


class PluginLogin:
    """The current credential of a plugin, renewed before it expires.

    Callers that come while the program runs share its one run.

    Args:
        plugin: the program.
        authority: reads the CA certificates, for a program that asks for them.
        clock: the time.
        seconds: deadline of a run.
    """

    def __init__(
        self,
        plugin: CredentialPlugin,
        authority: Callable[[], Awaitable[bytes | None]],
        clock: Clock,
        *,
        seconds: float = PLUGIN_SECONDS,
    ) -> None:
        self.held: PluginCredential | None = None
        self.running = ""  # the program's name until it has ended, also where it was given up
        self._plugin = plugin
        self._authority = authority
        self._clock = clock
        self._seconds = seconds
        self._renew_at = 0.0
        self._runs = 0
        self._failure: Unavailable | None = None
        self._lock = asyncio.Lock()

    async def current(self) -> PluginCredential:
        """Return the credential; run the program if there is none or it is about to expire.

        Raises:
            Unavailable: the program failed, and there is no credential that is still valid.
        """
        held = self.held
        if held is not None and self._clock.now() < self._renew_at:
            return held
        try:
            return await self.renew()
        except Unavailable as error:
            now = self._clock.now()
            if held is None or held.expires <= now:
                raise
            _log.warning("credentials not renewed", extra={"reason": str(error)})
            self._renew_at = now + RETRY_SECONDS
            return held

    async def renew(self) -> PluginCredential:
        """Run the program, or wait for the run that another caller has begun.

        Raises:
            Unavailable: the program failed.
        """
        runs = self._runs
        async with self._lock:
            if self._runs == runs:
                await self._run()
            if self._failure is not None or self.held is None:
                failure = self._failure or _failed(self._plugin, "gave no credential")
                raise Unavailable(failure.message, remedy=failure.remedy)
            return self.held

    def forget(self) -> None:
        """Run the program again when a credential is next needed: this one could not be used."""
        self.held = None

    async def _run(self) -> None:
        self.running = self._plugin.name
        try:
            authority = await self._authority() if self._plugin.cluster is not None else None
            output = await _output(self._plugin, authority, self._seconds)
            held = _credential(self._plugin, output, self._clock.now())
        except Unavailable as error:
            self._failure = error
        else:
            self._failure = None
            self.held = held
            lifetime = held.expires - self._clock.now()
            self._renew_at = held.expires - min(EARLY_SECONDS, lifetime / 5)
        self.running = ""
        self._runs += 1


async def _output(plugin: CredentialPlugin, authority: bytes | None, seconds: float) -> bytes:
    """Return what the program prints.

    Raises:
        Unavailable: it cannot be run, failed, printed too much or did not end in time.
    """
    try:
        async with asyncio.timeout(seconds):
            code, output = await _run(plugin, _input(plugin, authority))
    except TimeoutError:
        raise _failed(plugin, f"did not end within {seconds:g} s") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise _failed(
            plugin, f"cannot be run: {reason}", "install it, or use another user"
        ) from None
    if len(output) > MAX_OUTPUT:
        raise _failed(plugin, f"printed more than {MAX_OUTPUT} bytes")
    if code:
        how = f"was killed by signal {-code}" if code < 0 else f"failed with exit status {code}"
        raise _failed(plugin, how)
    return output


def _input(plugin: CredentialPlugin, authority: bytes | None) -> str:
    spec: JsonObject = {"interactive": False}
    if plugin.cluster is not None:
        spec["cluster"] = dict(plugin.cluster)
        if authority is not None:
            data = base64.b64encode(authority).decode()
            spec["cluster"]["certificate-authority-data"] = data
    info = {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}
    return orjson.dumps(info).decode()


async def _run(plugin: CredentialPlugin, info: str) -> tuple[int, bytes]:
    """Return exit status and output. A program that prints more than MAX_OUTPUT is killed."""
    with ExitStack() as stack:
        # A pipe of our own can be closed, even while a process the program has left holds its end.
        receiving, sending = os.pipe()
        with os.fdopen(sending, "wb", 0) as sink:
            reader = asyncio.StreamReader()
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(receiving, "rb", 0)
            )
            stack.callback(transport.close)
            process = await asyncio.create_subprocess_exec(
                *plugin.command,
                env={**plugin.env, "KUBERNETES_EXEC_INFO": info},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sink,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        has_ended = False
        try:
            output = await _bounded(reader)
            code = 0 if len(output) > MAX_OUTPUT else await process.wait()
            has_ended = len(output) <= MAX_OUTPUT
        finally:
            if not has_ended:
                await _kill(process)
        return code, output


async def _bounded(reader: asyncio.StreamReader) -> bytes:
    output = bytearray()
    while len(output) <= MAX_OUTPUT and (chunk := await reader.read(_CHUNK)):
        output += chunk
    return bytes(output)


async def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill the program and what it has started in its process group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await asyncio.wait({asyncio.ensure_future(process.wait())}, timeout=_KILL_SECONDS)


def _credential(plugin: CredentialPlugin, output: bytes, now: float) -> PluginCredential:
    status = _status(plugin, output)
    token, certificate, key = (
        _text(plugin, status, name) for name in ("token", "clientCertificateData", "clientKeyData")
    )
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise _failed(plugin, "printed a token that is none")
    if bool(certificate) != bool(key):
        raise _failed(plugin, "printed a client certificate or key without the other")
    if not token and not key:
        raise _failed(plugin, "printed neither a token nor a client certificate")
    expires = math.inf
    if time := _text(plugin, status, "expirationTimestamp"):
        from planes.kube.client.lean_config import DATEUTIL  # noqa: PLC0415 - loaded late

        try:
            expires = DATEUTIL.parse_rfc3339(time).timestamp()
        except (ValueError, OverflowError):
            raise _failed(plugin, "printed an expirationTimestamp that is no time") from None
    if expires <= now:
        remedy = "compare its clock with that of this machine"
        raise _failed(plugin, "printed a credential that has expired", remedy)
    return PluginCredential(token, certificate.encode() or None, key.encode() or None, expires)


def _status(plugin: CredentialPlugin, output: bytes) -> JsonObject:
    try:
        answer: Any = orjson.loads(output)
    except orjson.JSONDecodeError:
        answer = None  # the error has the output in it, which is a secret
    if not isinstance(answer, dict) or answer.get("kind") != "ExecCredential":
        raise _failed(plugin, "printed no ExecCredential")
    if answer.get("apiVersion") != plugin.api_version:
        raise _failed(plugin, f"printed an ExecCredential that is not of {plugin.api_version}")
    status = answer.get("status")
    if not isinstance(status, dict):
        raise _failed(plugin, "printed an ExecCredential without a status")
    return status


def _text(plugin: CredentialPlugin, status: JsonObject, name: str) -> str:
    value = status.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _failed(plugin, f"printed a {name} that is no text")
    return value


def _failed(
    plugin: CredentialPlugin, why: str, remedy: str = "run it by hand to see why"
) -> Unavailable:
    return Unavailable(
        f"cannot log in to the API server: the credential plugin {plugin.name} {why}",
        remedy=remedy,
    )
