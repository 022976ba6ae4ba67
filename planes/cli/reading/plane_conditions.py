"""What the status of a Plane object says. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from planes.model.errors import JsonObject
from planes.model.lines import one_line

_COUNTS: Final = (
    *("namespaces", "inUse", "static", "cooling", "blocks"),
    *("capacity", "available"),
)
_LONGEST: Final = 1024
_LONGEST_WORD: Final = 63
_MOST_CONDITIONS: Final = 32


@dataclass(frozen=True, slots=True)
class ConditionSeen:
    """One condition of a plane."""

    status: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class PlaneStatusSeen:
    """A plane and its status.

    Attributes:
        conditions: by type.
        counts: `inUse`, `capacity` and so on, as far as the status has them.
        is_current: the status is of the spec as it is now.
        is_leaving: it is being deleted.
    """

    name: str
    conditions: Mapping[str, ConditionSeen] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    is_current: bool = True
    is_leaving: bool = False


def plane_seen(obj: JsonObject) -> PlaneStatusSeen:
    """Return a plane and its conditions; an object without status has none."""
    meta, status = obj["metadata"], _object(obj.get("status"))
    conditions = status.get("conditions")
    found = conditions[:_MOST_CONDITIONS] if isinstance(conditions, list) else []
    observed, generation = status.get("observedGeneration"), meta.get("generation")
    return PlaneStatusSeen(
        name=one_line(str(meta["name"]), _LONGEST_WORD),
        conditions={
            _word(one, "type"): ConditionSeen(
                _word(one, "status"),
                _word(one, "reason"),
                one_line(str(one.get("message") or ""), _LONGEST),
            )
            for one in found
            if isinstance(one, dict)
        },
        counts={key: n for key in _COUNTS if isinstance(n := status.get(key), int)},
        is_current=observed is None or generation is None or observed == generation,
        is_leaving=bool(meta.get("deletionTimestamp")),
    )


def _word(condition: Mapping[str, Any], key: str) -> str:
    return one_line(str(condition.get(key) or ""), _LONGEST_WORD)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
