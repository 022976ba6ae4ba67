"""The API server: whether it answers, how fast, by which clock, and what we may ask of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

from planes.kube.api import KubeApi
from planes.kube.resources import (
    EVENTS,
    IPBLOCKS,
    MUTATING_HOOKS,
    NADS,
    NAMESPACES,
    NODES,
    PLANES,
    PODS,
    SELF_REVIEWS,
    Resource,
)
from planes.model.errors import Denied, NotFound, PlanesError
from planes.model.names import NETPLANE_NAMESPACE


@dataclass(frozen=True, slots=True)
class Right:
    """Something that an account may do: a verb, a resource, "" or a subresource."""

    verb: str
    resource: Resource
    subresource: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        """Return it as `kubectl auth can-i` takes it."""
        sub = f"/{self.subresource}" if self.subresource else ""
        group = f".{self.resource.group}" if self.resource.group else ""
        place = f" -n {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.resource.plural}{group}{sub}{place}"


OF_DAEMON: Final = (
    *(Right(verb, each) for each in (PLANES, NADS, NAMESPACES, PODS) for verb in ("list", "watch")),
    Right("get", PODS),
    Right("patch", PODS, "status"),
    *(Right(verb, EVENTS) for verb in ("create", "patch")),
    *(Right(verb, IPBLOCKS) for verb in ("get", "list", "watch", "create", "update", "delete")),
    *(Right(verb, NODES) for verb in ("list", "watch")),
)
"""What manifests/base/cni/rbac.yaml grants the daemon and each ADD may need."""
OF_READER: Final = (
    Right("list", PLANES),
    Right("list", NADS),
    Right("get", NODES),
    Right("list", PODS, namespace=NETPLANE_NAMESPACE),
    Right("list", EVENTS),
    Right("get", MUTATING_HOOKS),
)
"""What the doctor itself reads."""


@dataclass(frozen=True, slots=True)
class ApiServerFacts:
    """What asking the API server showed.

    Attributes:
        seconds: until it answered the second request: connections and logins come before it.
        skew: seconds by which the clock of this machine is ahead of the server's; None where the
            server did not say.
        missing: what the account may not do.
        unknown: why rights could not be asked for, "" where they were.
        is_daemon: the account is that of the daemon.
    """

    seconds: float
    skew: float | None = None
    missing: tuple[str, ...] = ()
    unknown: str = ""
    is_daemon: bool = False


async def read_api_server(
    api: KubeApi, date: Callable[[], str], *, is_daemon: bool
) -> ApiServerFacts:
    """Ask the API server.

    Args:
        api: with the account whose rights count.
        date: returns the header Date of the last response.
        is_daemon: whether that is the account of the daemon.

    Raises:
        PlanesError: it does not answer.
    """
    await _answered(api)
    began, earlier = time.monotonic(), time.time()
    await _answered(api)
    seconds = time.monotonic() - began
    skew = clock_skew(date(), earlier + seconds / 2)
    rights = OF_DAEMON if is_daemon else OF_READER
    try:
        missing = [str(right) for right in rights if not await _may(api, right)]
    except PlanesError as error:
        return ApiServerFacts(seconds, skew, unknown=error.message, is_daemon=is_daemon)
    return ApiServerFacts(seconds, skew, tuple(missing), is_daemon=is_daemon)


def clock_skew(date: str, now: float) -> float | None:
    """Return the seconds by which `now` is ahead of a Date header; it has whole seconds."""
    try:
        return now - parsedate_to_datetime(date).timestamp() - 0.5 if date else None
    except (ValueError, TypeError, OverflowError):
        return None


def server_time(date: str) -> float:
    """Return Unix seconds by a Date header; by this machine's clock where there is none."""
    now = time.time()
    skew = clock_skew(date, now)
    return now if skew is None else now - skew


async def _answered(api: KubeApi) -> None:
    """Ask for a namespace: any answer about it is an answer."""
    with suppress(NotFound, Denied):
        await api.get(NAMESPACES, NETPLANE_NAMESPACE, is_metadata_only=True)


async def _may(api: KubeApi, right: Right) -> bool:
    attributes = {
        "verb": right.verb,
        "group": right.resource.group,
        "resource": right.resource.plural,
        "subresource": right.subresource,
        "namespace": right.namespace,
    }
    review = await api.create(SELF_REVIEWS, {"spec": {"resourceAttributes": attributes}})
    status = review.get("status")
    return isinstance(status, dict) and status.get("allowed") is True
