"""The log of reviews: one line for each refusal, and for each new pod that has planes.

The line of a new pod is written by validation: only then it has the name and UID that the node's
log and `kubectl get pod` show. Lines beyond a rate that no cluster creates pods at are counted
instead of written: a flood of reviews must not fill the node's log files.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from planes.run.clock import Clock
from webhook.review import Allowed, Answer, Errored, Patched, Rejected, Review

_log = logging.getLogger(__name__)

_LINES_PER_SECOND: Final = 200
_CHARACTERS_PER_SECOND: Final = 128 << 10
_REASONS: Final = 8
_SHOWN: Final = 256
"""Characters of a field. Most fields are chosen by the peer; a name has at most 253."""
_SHOWN_REASON: Final = 512


class ReviewLog:
    """Writes the log of reviews."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second = 0
        self._lines = 0
        self._suppressed = 0
        self._characters = 0

    def answered(self, path: str, review: Review, answer: Answer) -> None:
        """Log an answer; most of them need no line."""
        event_line = _event_of(review, answer)
        if event_line is not None:
            event, more = event_line
            facts = {**_facts(path, review), **more}
            if self._may_write(facts):
                _log.info(event, extra=facts)

    def _may_write(self, facts: Mapping[str, Any]) -> bool:
        second = int(self._clock.monotonic())
        if second != self._second:
            suppressed = self._suppressed
            self._second, self._lines, self._characters, self._suppressed = second, 0, 0, 0
            if suppressed > 0:
                _log.warning("reviews not logged one by one", extra={"count": suppressed})
        size = sum(len(str(fact)) for fact in facts.values())
        is_full = self._characters + size > _CHARACTERS_PER_SECOND
        if is_full or self._lines >= _LINES_PER_SECOND:
            self._suppressed += 1
            return False
        self._lines += 1
        self._characters += size
        return True


def _event_of(review: Review, answer: Answer) -> tuple[str, dict[str, Any]] | None:
    """Return the event of an answer and its fields, None where it needs no line."""
    match answer:
        case Rejected():
            reasons = [_cut(str(each), _SHOWN_REASON) for each in answer.findings[:_REASONS]]
            return "review refused", {"reasons": reasons}
        case Errored():
            return "review refused", {"reasons": [_cut(str(answer.error), _SHOWN_REASON)]}
        case Allowed() if review.resource == "pods" and review.operation == "CREATE":
            planes = answer.audit.get("planes")
            is_final = answer.audit.get("decision") == "allowed"
            return ("pod admitted", {"planes": planes.split(",")}) if planes and is_final else None
        case Patched() if review.resource != "pods":  # for a pod validation writes the line
            return "object changed", dict(answer.audit)
    return None


def _facts(path: str, review: Review) -> dict[str, Any]:
    metadata = (review.obj or review.old or {}).get("metadata")
    uid = metadata.get("uid") if isinstance(metadata, dict) else None
    name = _cut(review.display_name)
    facts: dict[str, Any] = {"path": path, "review": _cut(review.uid)}
    facts["uid"] = _cut(uid) if isinstance(uid, str) else ""
    space = f"{_cut(review.namespace)}/" if review.resource != "namespaces" else ""
    facts["pod" if review.resource == "pods" else "object"] = f"{space}{name}"
    return {**facts, "user": _cut(review.user.name), "dry_run": review.is_dry_run}


def _cut(text: str, limit: int = _SHOWN) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"
