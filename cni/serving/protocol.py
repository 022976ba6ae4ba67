"""The protocol between the shim and the daemon, and the interface of what carries out calls.

A request is `POST /v1/cni` with the CNI variables as headers and stdin as body; the same bytes
are a file of the spool. An answer is what the plugin prints on stdout, and its exit status in
`Cni-Exit`. Errors are CNI error objects: never a traceback, never bytes of a configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

from cni.call import VARIABLES, CniRequest, parse_call
from planes.model.encode import dumps, pretty
from planes.model.errors import BadInput, CniCode, PlanesError, Unavailable
from planes.model.wire.cniversion import CURRENT, SUPPORTED

PATH: Final = "/v1/cni"
HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {name: name.replace("_", "-").title() for name in VARIABLES}
)
"""The headers that carry the variables: `Cni-Containerid` for `CNI_CONTAINERID`."""
EXIT_HEADER: Final = "Cni-Exit"
BODY_LIMIT: Final = 8 << 20  # the shim refuses a larger stdin itself
HEAD_LIMIT: Final = 64 << 10  # all that the shim puts before the body


class Verbs(Protocol):
    """Carries out calls: the runtime, or a layer in front of it."""

    async def handle(self, request: CniRequest) -> bytes:
        """Carry out ADD, DEL, CHECK, GC or STATUS; return stdout, b"" where there is none.

        It is cancelled only when the call's deadline is over or the daemon stops, never because the
        client disconnected: the implementation rolls back what it began.

        Raises:
            Postponed: a DEL that cannot be carried out yet.
            PlanesError: why the call failed.
        """
        ...


class SandboxVerbs(Verbs, Protocol):
    """Verbs whose lock of one sandbox can be held over several calls: the runtime's.

    `handle` takes the lock itself. What has to be over before a call of the sandbox begins (its
    spooled DELs) goes through `handle_locked`, inside one `sandbox` block with that call: it does
    not wait for the lock that it holds.
    """

    def sandbox(self, container_id: str) -> AbstractAsyncContextManager[float]:
        """Hold the lock of a sandbox inside the block; yield the seconds waited for it."""
        ...

    async def handle_locked(self, request: CniRequest) -> bytes:
        """Carry out ADD, DEL or CHECK as `handle` does, with the sandbox's lock held."""
        ...


class Postponed(Unavailable):
    """A DEL that cannot be carried out yet, for a reason outside its sandbox: it is spooled."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the plugin prints, and its exit status.

    Attributes:
        stdout: the exact bytes.
        code: the CNI error code, 0 where the call succeeded.
    """

    stdout: bytes
    code: int = 0

    @property
    def exit_status(self) -> int:
        """The plugin's exit status: 1 for any error."""
        return 1 if self.code else 0


def refusal(error: PlanesError, cni_version: str = "") -> Answer:
    """Return the answer of a call that failed, laid out as the reference plugins do.

    Args:
        error: why it failed.
        cni_version: that of the configuration; "" where it could not be read.
    """
    fields = error.to_cni(cni_version or CURRENT)
    # a path in a message need not be UTF-8, JSON must be
    fields = {k: _utf8(v) if isinstance(v, str) else v for k, v in fields.items()}
    return Answer(pretty(fields, "the error"), int(error.cni_code))


def versions() -> Answer:
    """Return the answer to VERSION, as the shim prints it without the daemon."""
    known = {"cniVersion": CURRENT, "supportedVersions": SUPPORTED}
    return Answer(dumps(known, "the versions") + b"\n")


def parse_request(headers: Mapping[str, str], body: bytes) -> CniRequest:
    """Parse a call as the shim sends it.

    Args:
        headers: names in any case; those that carry no CNI variable are ignored.
        body: stdin of the plugin.

    Raises:
        BadInput: see `parse_call`.
    """
    folded = {name.lower(): value for name, value in headers.items()}
    carried = {name: folded.get(header.lower(), "") for name, header in HEADERS.items()}
    return parse_call(carried, body)


def split_request(data: bytes) -> tuple[Mapping[str, str], bytes]:
    """Split a spooled request into headers (names in lower case) and body.

    Raises:
        BadInput: code 6; it is truncated, or no request of the shim.
    """
    head, separator, body = data.partition(b"\r\n\r\n")
    start, *lines = head.split(b"\r\n")
    if not separator or start != f"POST {PATH} HTTP/1.1".encode():
        raise _unreadable("it does not start with a request of the shim")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon:
            raise _unreadable("a header has no colon")
        headers[name.decode("ascii", "replace").lower()] = _text(value)
    if headers.get("content-length") != str(len(body)):
        raise _unreadable("its body is not as long as it says")
    return headers, body


def join_request(request: CniRequest) -> bytes:
    """Return the bytes of a request, as the shim would have written it.

    Raises:
        BadInput: one of its variables has a line break, which no header can contain.
    """
    variables = {
        "CNI_COMMAND": request.verb.value,
        "CNI_CONTAINERID": request.container_id,
        "CNI_NETNS": request.netns,
        "CNI_IFNAME": request.ifname,
        "CNI_ARGS": ";".join(f"{key}={value}" for key, value in request.cni_args),
        "CNI_PATH": ":".join(request.cni_path),
    }
    lines = [f"POST {PATH} HTTP/1.1", "Host: netplane"]
    lines += [f"{HEADERS[name]}: {value}" for name, value in variables.items() if value]
    lines.append(f"Content-Length: {len(request.stdin)}")
    if any("\r" in line or "\n" in line for line in lines):
        raise BadInput("cannot spool the request: a variable has a line break")
    head = "\r\n".join(lines).encode("utf-8", "surrogateescape")
    return head + b"\r\n\r\n" + request.stdin


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _text(value: bytes) -> str:
    # as aiohttp reads a header: paths need not be UTF-8
    return value.strip(b" \t").decode("utf-8", "surrogateescape")


def _unreadable(cause: str) -> BadInput:
    return BadInput(f"cannot read the spooled request: {cause}", code=CniCode.DECODE)
