"""The outcome of a benchmark, as values, as an aligned table and as JSON.

Invariant: a ratio is always ours divided by the peer's, both of one unit; a peer's number that
was not measured in this run is marked as published.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import Any

PUBLISHED = "published"
THIS_RUN = "this run"


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal of the design.

    Attributes:
        limit: of our value, or of the ratio where the goal stands with a peer.
        is_at_most: False where more is better.
        is_tail: it is about the 99th percentile.
    """

    text: str
    limit: float
    is_at_most: bool = True
    is_tail: bool = False


@dataclass(frozen=True, slots=True)
class Side:
    """One side's measured values."""

    label: str
    unit: str
    median: float
    p99: float | None = None
    goals: tuple[Goal, ...] = ()
    source: str = THIS_RUN


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement: ours first, then the peers; or the reason why there is none."""

    what: str
    ours: Side | None = None
    peers: tuple[Side, ...] = ()
    notes: tuple[str, ...] = ()
    skipped: str = ""


class SkippedError(Exception):
    """A benchmark cannot run here; the text is the reason."""


def side(label: str, unit: str, samples: Sequence[float], *goals: Goal, tail: bool = True) -> Side:
    """Return the median of samples, and the 99th percentile if there are enough of them."""
    ordered = sorted(samples)
    p99 = ordered[ceil(len(ordered) * 0.99) - 1] if tail else None
    return Side(label, unit, median(ordered), p99, goals)


def published(label: str, unit: str, value: float, *goals: Goal) -> Side:
    """Return a published number, taken from the design's baselines."""
    return Side(label, unit, value, None, goals, PUBLISHED)


def ratio(ours: Side, peer: Side) -> float:
    """Return our value divided by the peer's."""
    return ours.median / peer.median


def is_met(goal: Goal, ours: Side, of: Side) -> bool:
    """Report whether a goal that stands with a side is reached."""
    value = ratio(ours, of) if of is not ours else ours.median
    if goal.is_tail:
        value = ours.p99 if ours.p99 is not None else float("inf")
    return value <= goal.limit if goal.is_at_most else value >= goal.limit


def as_json(row: Row) -> dict[str, Any]:
    """Return a row as a JSON value."""
    if row.ours is None:
        return {"what": row.what, "skipped": row.skipped}
    ours = row.ours
    return {
        "what": row.what,
        "ours": _side_json(ours, ours),
        "peers": [_side_json(peer, ours) for peer in row.peers],
        "notes": list(row.notes),
    }


def _side_json(of: Side, ours: Side) -> dict[str, Any]:
    found: dict[str, Any] = {
        "label": of.label,
        "unit": of.unit,
        "median": round(of.median, 4),
        "p99": round(of.p99, 4) if of.p99 is not None else None,
        "source": of.source,
        "goals": [{"text": goal.text, "met": is_met(goal, ours, of)} for goal in of.goals],
    }
    if of is not ours:
        found["ratio"] = round(ratio(ours, of), 4)
    return found


HEAD = ("what", "side", "median", "p99", "ours/peer", "goal", "")
_NUMBERS = frozenset({2, 3, 4})


def render(rows: Sequence[Row]) -> str:
    """Return the table as text, with notes and skipped rows below it."""
    lines: list[tuple[str, ...]] = [HEAD]
    for row in rows:
        lines += _lines(row)
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    shown = []
    for line in lines:
        cells = [
            cell.rjust(width) if column in _NUMBERS else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        shown.append("  ".join(cells).rstrip())
    rule = "-" * max(map(len, shown))
    notes = [f"{row.what}: {note}" for row in rows for note in row.notes]
    notes += [f"{row.what}: skipped: {row.skipped}" for row in rows if row.ours is None]
    below = ["", *notes] if notes else []
    return "\n".join([shown[0], rule, *shown[1:], *below])


def _lines(row: Row) -> list[tuple[str, ...]]:
    if row.ours is None:
        return [(row.what, "skipped", "", "", "", "", "")]
    ours = row.ours
    lines: list[tuple[str, ...]] = []
    for one in (ours, *row.peers):
        times = "" if one is ours else _times(ratio(ours, one))
        label = one.label + (" (published)" if one.source == PUBLISHED else "")
        tail = _amount(one.p99, one.unit) if one.p99 is not None else ""
        goals = [(goal.text, "met" if is_met(goal, ours, one) else "MISSED") for goal in one.goals]
        first = goals[0] if goals else ("", "")
        what = row.what if one is ours else ""
        lines.append((what, label, _amount(one.median, one.unit), tail, times, *first))
        lines += [("", "", "", "", "", *more) for more in goals[1:]]
    return lines


def _amount(value: float, unit: str) -> str:
    if value >= 1000:
        text = f"{value:,.0f}"
    else:
        text = f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"
    return f"{text} {unit}"


def _times(value: float) -> str:
    return f"1/{1 / value:.1f}" if 0 < value < 0.667 else f"{value:.2f} x"
