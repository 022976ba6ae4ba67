"""What the log says of reviews: one line for each refusal, and for each new pod that has planes.

The line of a new pod is written by validation: only there the API server has given it its name
and UID, the one that the node's log and `kubectl get pod` show. More lines a second than a
cluster creates pods, or longer ones, are not written but counted: a flood of reviews must not
become one of logs, which would push out of a node's files what happened before.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from planes.run.clock import Clock
from webhook.review import Allowed, Answer, Denied, Errored, Patched, Review

_log = logging.getLogger(__name__)

_LINES_PER_SECOND: Final = 200
_CHARACTERS_PER_SECOND: Final = 128 << 10
_REASONS: Final = 8
_SHOWN: Final = 256
"""Characters of a fact. Most of them are chosen by whoever asks; a name has at most 253."""
_SHOWN_REASON: Final = 512


class Reporter:
    """Writes the log of reviews."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second = 0
        self._lines = 0
        self._untold = 0
        self._characters = 0

    def answered(self, path: str, review: Review, answer: Answer) -> None:
        """Take note of an answer; most of them need no line."""
        told = _told(review, answer)
        if told is not None:
            event, more = told
            facts = {**_facts(path, review), **more}
            if self._may_write(facts):
                _log.info(event, extra=facts)

    def _may_write(self, facts: Mapping[str, Any]) -> bool:
        second = int(self._clock.monotonic())
        if second != self._second:
            untold = self._untold
            self._second, self._lines, self._characters, self._untold = second, 0, 0, 0
            if untold > 0:
                _log.warning("reviews not logged one by one", extra={"count": untold})
        size = sum(len(str(fact)) for fact in facts.values())
        is_full = self._characters + size > _CHARACTERS_PER_SECOND
        if is_full or self._lines >= _LINES_PER_SECOND:
            self._untold += 1
            return False
        self._lines += 1
        self._characters += size
        return True


def _told(review: Review, answer: Answer) -> tuple[str, dict[str, Any]] | None:
    """Give what is worth a line: the event and its facts."""
    match answer:
        case Denied():
            reasons = [_cut(str(each), _SHOWN_REASON) for each in answer.findings[:_REASONS]]
            return "review refused", {"reasons": reasons}
        case Errored():
            return "review refused", {"reasons": [_cut(str(answer.error), _SHOWN_REASON)]}
        case Allowed() if review.resource == "pods" and review.operation == "CREATE":
            planes = answer.audit.get("planes")
            is_final = answer.audit.get("decision") == "allowed"
            return ("pod admitted", {"planes": planes.split(",")}) if planes and is_final else None
        case Patched() if review.resource != "pods":  # of a pod validation will tell
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
