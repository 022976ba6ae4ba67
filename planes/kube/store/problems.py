"""Log and count what is at fault among planes, NADs and namespaces."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Final

from planes.run.metrics import Metrics
from planes.store.protocol import Problem

KINDS: Final = ("Plane", "NetworkAttachmentDefinition", "Namespace")
_OTHER_NAMES: Final = {"NAD": "NetworkAttachmentDefinition", "plane": "Plane"}

_log = logging.getLogger(__name__)


def kind_of(problem: Problem) -> str:
    """Return the kind of the object that a problem is about, one of `KINDS`."""
    word = problem.where.replace("/", " ").partition(" ")[0]
    kind = _OTHER_NAMES.get(word, word)
    return kind if kind in KINDS else "Plane"


class Problems:
    """Keeps the problems there are now, and shows on metrics how many of each kind of object."""

    def __init__(self, metrics: Metrics) -> None:
        self._known: frozenset[Problem] = frozenset()
        self._counts: Counter[str] = Counter()
        text = "Planes, NADs and namespaces that are at fault or doubtful, by kind"
        gauge = metrics.gauge("problems", text, ["kind"])
        for kind in KINDS:
            gauge.labels(kind).set_function(partial(self._count, kind))

    def update(self, problems: Sequence[Problem]) -> None:
        """Replace the problems by those there are now; log which are new and which are gone."""
        for problem in problems:
            if problem not in self._known:
                facts = {"where": problem.where, "reason": problem.reason}
                _log.warning("object at fault", extra=facts)
        for problem in self._known - frozenset(problems):
            _log.info("object mended", extra={"where": problem.where})
        self._known = frozenset(problems)
        self._counts = Counter(map(kind_of, self._known))

    def _count(self, kind: str) -> int:
        return self._counts[kind]
