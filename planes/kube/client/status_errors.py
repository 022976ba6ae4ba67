"""Map an error response of an API server, HTTP status and Status object, to a `PlanesError`.

The text has the server's own message, shortened; for a Secret only its reason, one word, because
the message may quote the secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from planes.kube.errors import AlreadyExists, Expired, Forbidden, MissingRight, Unauthenticated
from planes.kube.resources import SECRETS, Resource
from planes.model.errors import BadInput, Conflict, Denied, NotFound, PlanesError, Unavailable

_MAX_REASON = 300
NO_SERVER: Final = (
    "check the server's address, and that no proxy or login page answers in its place"
)
_BEGIN_AGAIN: Final = "begin again: the list is of too old a moment"
_BAD_INPUT: Final = frozenset({400, 405, 406, 413, 415, 422})
_ERRORS: Final[Mapping[int, tuple[type[PlanesError], str]]] = {
    **dict.fromkeys(_BAD_INPUT, (BadInput, "correct the request")),
    **dict.fromkeys((301, 302, 303, 307, 308), (Unavailable, NO_SERVER)),
    401: (Unauthenticated, "check our token or client certificate"),
    409: (Conflict, "read it again and repeat the change"),
    410: (Expired, _BEGIN_AGAIN),
}
_CAUSES: Final[Mapping[str, tuple[type[PlanesError], str]]] = {
    # 504: etcd was restored, or this server lags behind another one.
    "ResourceVersionTooLarge": (Expired, _BEGIN_AGAIN),
    # 403, but no matter of rights.
    "NamespaceTerminating": (NotFound, "wait until the namespace is gone, then make it anew"),
}

# As kube-apiserver writes it (apiserver/pkg/endpoints/handlers/responsewriters/errors.go).
_RIGHT: Final = re.compile(
    r'\bUser "(?P<user>[^"]{0,512})" cannot (?P<verb>[a-z]{1,32}) resource '
    r'"(?P<plural>[a-z0-9.-]{1,128})(?P<part>(?:/[a-z]{1,32})?)" '
    r'in API group "(?P<group>[a-z0-9.-]{0,253})"'
    r'(?: in the namespace "(?P<namespace>[a-z0-9-]{1,63})")?'
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as errors name it, e.g. `get Pod shop/web-0`."""

    verb: str
    resource: Resource
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        if not self.name:
            place = f" in {self.namespace}" if self.namespace else ""
            return f"{self.verb} {self.resource.plural}{place}"
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.verb} {self.resource.kind} {place}{self.name}"


def refusal(asked: Asked, code: int, body: bytes) -> PlanesError:
    """Return the error for a response that is not a success."""
    try:
        status = orjson.loads(body)
    except orjson.JSONDecodeError:
        status = None
    return refusal_of_status(asked, code, status if isinstance(status, dict) else {})


def refusal_of_status(asked: Asked, code: int, status: dict[str, Any]) -> PlanesError:
    """Return the error for a Status object and the code that came with it."""
    reason = str(status.get("reason") or "")
    text = f"cannot {asked}: {_cause(asked, code, status)}"
    if code == 409 and reason == "AlreadyExists":
        return AlreadyExists(text, remedy="use another name, or the object that is there")
    if code == 422 and "metadata.uid" in _fields(status):
        return Conflict(text, remedy="there is another object of that name now")
    for cause in _causes(status):
        if found := _CAUSES.get(str(cause.get("reason"))):
            return found[0](text, remedy=found[1])
    if code == 403:
        return _denied(asked, text, str(status.get("message") or ""))
    if code == 404:
        return _missing(asked, text, status)
    error, remedy = _ERRORS.get(code, (Unavailable, "try again later"))
    return error(text, remedy=remedy)


def _denied(asked: Asked, text: str, message: str) -> Denied:
    found = _RIGHT.search(message)
    if found is None:
        return Denied(text, remedy=f"ask for a role that may {asked.verb} {_kind(asked)}")
    plural, group = found["plural"], found["group"]
    resource = f"{plural}.{group}{found['part']}" if group else f"{plural}{found['part']}"
    right = MissingRight(found["user"], found["verb"], resource, found["namespace"] or "")
    return Forbidden(text, right, remedy=right.text)


def _cause(asked: Asked, code: int, status: dict[str, Any]) -> str:
    reason, message = status.get("reason"), status.get("message")
    if asked.resource == SECRETS and code in _BAD_INPUT:
        message = ""
    text = message or reason or f"the server answered with HTTP status {code}"
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return line if len(line) <= _MAX_REASON else f"{line[:_MAX_REASON]}…"


def _causes(status: dict[str, Any]) -> list[dict[str, Any]]:
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    return [cause for cause in causes or () if isinstance(cause, dict)]


def _fields(status: dict[str, Any]) -> set[str]:
    return {str(cause.get("field")) for cause in _causes(status)}


def _kind(asked: Asked) -> str:
    return f"{asked.resource.plural}.{asked.resource.group}".rstrip(".")


def _missing(asked: Asked, text: str, status: dict[str, Any]) -> PlanesError:
    """Return the error for a 404.

    That an object is gone is believed only of an API server, whose Status gives the reason: upon it
    addresses are released. A proxy says 404 for an API server that is away, and an API server
    itself for a kind that it does not have (yet).
    """
    kind = _kind(asked)
    if not asked.name:
        return NotFound(text, remedy=f"check that the server has {kind}")
    if status.get("reason") != "NotFound":
        remedy = f"check that the server has {kind}, and that no proxy answers in its place"
        return Unavailable(text, remedy=remedy)
    return NotFound(text, remedy="check its name, or make it")
