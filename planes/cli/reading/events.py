"""Events as commands show them: read within bounds, as anybody may write one.

Invariant: every text is one printable line. An event with a time that cannot be read counts as one
of an unknown time, before all others.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from planes.kube.api import Query, ReadApi
from planes.kube.resources import EVENTS
from planes.model.errors import JsonObject
from planes.model.events import COMPONENT
from planes.model.lines import one_line

_LONGEST_MESSAGE: Final = 1024
_LONGEST_WORD: Final = 253
_MOST_READ: Final = 5000
"""Events of one list that are read; of a cluster in trouble there are more each hour."""
_MOST_COUNTED: Final = 10**6
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?Z")


@dataclass(frozen=True, slots=True, order=True)
class SeenEvent:
    """An event.

    Attributes:
        when: when it was seen last, RFC 3339 in UTC; "" where that is not known.
        kind, namespace, name: of the object that it is about.
        count: how often it was seen.
    """

    when: str
    kind: str
    namespace: str
    name: str
    reason: str
    message: str
    type: str
    source: str
    count: int = 1

    @property
    def is_ours(self) -> bool:
        """Whether it says that Netplane wrote it."""
        return self.source == COMPONENT

    def as_json(self) -> JsonObject:
        """Return it as it is printed."""
        return {
            "when": self.when,
            "type": self.type,
            "reason": self.reason,
            "message": self.message,
            "source": self.source,
            "count": self.count,
            "about": {"kind": self.kind, "namespace": self.namespace, "name": self.name},
        }


def read_event(obj: JsonObject) -> SeenEvent:
    """Read an Event object; what it lacks is ""."""
    about, source, series = (_object(obj.get(k)) for k in ("involvedObject", "source", "series"))
    meta = _object(obj.get("metadata"))
    times = (
        *(obj.get("lastTimestamp"), series.get("lastObservedTime"), obj.get("eventTime")),
        *(obj.get("firstTimestamp"), meta.get("creationTimestamp")),
    )
    count = series.get("count") or obj.get("count")
    return SeenEvent(
        when=next(filter(None, map(_time, times)), ""),
        kind=_word(about.get("kind")),
        namespace=_word(about.get("namespace")),
        name=_word(about.get("name")),
        reason=_word(obj.get("reason")),
        message=one_line(str(obj.get("message") or ""), _LONGEST_MESSAGE),
        type=_word(obj.get("type")),
        source=_word(source.get("component") or obj.get("reportingComponent")),
        count=min(count, _MOST_COUNTED) if isinstance(count, int) and count > 0 else 1,
    )


async def events(api: ReadApi, fields: str, namespace: str = "") -> AsyncIterator[SeenEvent]:
    """Yield events of a field selector, the first `_MOST_READ` of the list.

    Raises:
        PlanesError: they cannot be listed.
    """
    read = 0
    async for page in api.pages(Query(EVENTS, namespace=namespace, fields=fields)):
        for obj in page.items:
            yield read_event(obj)
        read += len(page.items)
        if read >= _MOST_READ:
            return


async def events_of_pod(api: ReadApi, namespace: str, name: str, uid: str) -> list[SeenEvent]:
    """Return the events of one pod, oldest first; not those of an earlier pod of its name.

    Raises:
        PlanesError: they cannot be listed.
    """
    chosen = f"involvedObject.uid={uid}" if uid else f"involvedObject.name={name}"
    found = [each async for each in events(api, chosen, namespace)]
    return sorted(each for each in found if each.kind == "Pod" and each.name == name)


def since(found: Iterable[SeenEvent], moment: str) -> list[SeenEvent]:
    """Return the events seen since a time (RFC 3339 in UTC), newest first."""
    return sorted((each for each in found if each.when >= moment), reverse=True)


def seconds_of(text: str) -> float | None:
    """Return a time of RFC 3339 in UTC as seconds since 1970; None where it is none."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    try:
        return datetime.fromisoformat(found[1]).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _time(value: Any) -> str:
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    return f"{found[1]}Z" if found else ""


def _word(value: Any) -> str:
    return one_line(value, _LONGEST_WORD) if isinstance(value, str) else ""


def _object(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}
