"""What the log says of reviews: one line for each refusal, and for each new pod that has planes.

The line of a new pod is written by validation: only there the API server has given it its name
and UID, the one that the node's log and `kubectl get pod` show. More lines a second than a
cluster creates pods are not written but counted: a flood of reviews must not become one of logs.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from planes.run.clock import Clock
from webhook.review import Allowed, Answer, Denied, Errored, Patched, Review

_log = logging.getLogger(__name__)

_LINES_PER_SECOND: Final = 200
_REASONS: Final = 8


class Reporter:
    """Writes the log of reviews."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second = 0
        self._lines = 0

    def answered(self, path: str, review: Review, answer: Answer) -> None:
        """Take note of an answer; most of them need no line."""
        facts = _told(review, answer)
        if facts is not None and self._may_write():
            event, more = facts
            _log.info(event, extra={**_facts(path, review), **more})

    def _may_write(self) -> bool:
        second = int(self._clock.monotonic())
        if second != self._second:
            untold = self._lines - _LINES_PER_SECOND
            self._second, self._lines = second, 0
            if untold > 0:
                _log.warning("reviews not logged one by one", extra={"count": untold})
        self._lines += 1
        return self._lines <= _LINES_PER_SECOND


def _told(review: Review, answer: Answer) -> tuple[str, dict[str, Any]] | None:
    """Give what is worth a line: the event and its facts."""
    match answer:
        case Denied():
            return "review refused", {"reasons": [str(each) for each in answer.findings[:_REASONS]]}
        case Errored():
            return "review refused", {"reasons": [str(answer.error)]}
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
    facts: dict[str, Any] = {"path": path, "review": review.uid, "uid": uid or ""}
    if review.resource == "pods":
        facts["pod"] = f"{review.namespace}/{review.display_name}"
    else:
        space = f"{review.namespace}/" if review.resource != "namespaces" else ""
        facts["object"] = f"{space}{review.display_name}"
    return {**facts, "user": review.user.name, "dry_run": review.is_dry_run}
