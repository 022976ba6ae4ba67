"""Where the parts of a subnet are in its strip: pure geometry, in pixels or columns.

A strip is true to scale, but each part is wide enough to be seen, as long as there are few parts.
Labels of the scale stand in rows below it and never overlap; a label without room is left out.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Final

from planes.cli.map.facts import MapStrip
from planes.model.addresses import IPAddress
from planes.model.spans import SpanSet

MOST_PARTS: Final = 16
"""With more parts none is widened."""
LABEL_ROWS: Final = 3
_MOST_LABELS: Final = 24
_APART: Final = 0.003
"""Of the strip: labels point to places that are farther apart."""
_SHARE: Final = 0.6
"""Of the strip that widened parts take at most."""


class PartKind(StrEnum):
    """What the addresses of a part are for."""

    REST = "not handed out"
    PODS = "pods"
    STATIC = "static"
    EXCLUDED = "excluded"


@dataclass(frozen=True, slots=True)
class StripPart:
    """Neighbouring addresses of one kind, and where they are in the strip."""

    kind: PartKind
    first: int
    last: int
    left: float = 0.0
    right: float = 0.0

    @property
    def size(self) -> int:
        """How many addresses it has."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class ScaleLabel:
    """An address below the strip.

    Attributes:
        at: what it points to.
        row: from 0, the nearest to the strip.
    """

    text: str
    at: float
    left: float
    right: float
    row: int


@dataclass(frozen=True, slots=True)
class StripLayout:
    """Parts, marks and labels of a strip.

    Attributes:
        used: where addresses in use are, as spans from left to right.
        kept: where addresses reserved for certain pods are.
        gateway: where it is; None without one.
        is_linear: all parts are true to scale.
    """

    parts: tuple[StripPart, ...]
    used: tuple[tuple[float, float], ...]
    kept: tuple[float, ...]
    gateway: float | None
    labels: tuple[ScaleLabel, ...]
    is_linear: bool

    @property
    def label_rows(self) -> int:
        """How many rows of labels there are."""
        return 1 + max((label.row for label in self.labels), default=-1)


def lay_out_strip(
    strip: MapStrip,
    wide: float,
    *,
    narrowest: float,
    mark: float,
    text_width: Callable[[str], float],
) -> StripLayout:
    """Return where everything is.

    Args:
        strip: the addresses.
        wide: width of the strip.
        narrowest: that a part has, if there are few.
        mark: width of the mark of one address.
        text_width: returns the width of a label's text.
    """
    parts, is_linear = _placed(_parts(strip), wide, narrowest)
    scale = _Scale(parts)
    labels = _labels(strip, parts, scale, wide, text_width)
    return StripLayout(
        parts=parts,
        used=_marks((scale.place(int(ip)) for ip in strip.used), wide, mark),
        kept=tuple(sorted({round(scale.place(int(ip))) for ip, _ in strip.kept})),
        gateway=None if strip.gateway is None else scale.place(int(strip.gateway)),
        labels=tuple(labels),
        is_linear=is_linear,
    )


def _parts(strip: MapStrip) -> list[StripPart]:
    """Return the parts in rising order, all addresses of the subnet in them."""
    sets = (
        (SpanSet(strip.excluded), PartKind.EXCLUDED),
        (SpanSet(strip.static), PartKind.STATIC),
        (SpanSet(strip.ranges), PartKind.PODS),
    )
    first, last = int(strip.cidr.network_address), int(strip.cidr.broadcast_address)
    edges = {first}
    for span in (*strip.excluded, *strip.static, *strip.ranges):
        edges |= {max(int(span.first), first), int(span.last) + 1}
    starts = sorted(edge for edge in edges if edge <= last)
    family = type(strip.cidr.network_address)
    found: list[StripPart] = []
    for start, after in zip(starts, [*starts[1:], last + 1], strict=True):
        kind = next((kind for one, kind in sets if family(start) in one), PartKind.REST)
        if found and found[-1].kind is kind:
            start = found.pop().first  # noqa: PLW2901 - joined with its neighbour
        found.append(StripPart(kind, start, after - 1))
    return found


def _placed(
    parts: Sequence[StripPart], wide: float, narrowest: float
) -> tuple[tuple[StripPart, ...], bool]:
    least = narrowest if len(parts) <= MOST_PARTS else 0.0
    least = min(least, wide * _SHARE / len(parts))
    widened: set[int] = set()
    while True:
        total = sum(part.size for i, part in enumerate(parts) if i not in widened)
        left = wide - least * len(widened)
        small = {
            i
            for i, part in enumerate(parts)
            if i not in widened and part.size / total * left < least
        }
        if not small:
            break
        widened |= small
    placed, x = [], 0.0
    for i, part in enumerate(parts):
        size = least if i in widened else part.size / total * left
        placed.append(StripPart(part.kind, part.first, part.last, x, x + size))
        x += size
    return tuple(placed), not widened


class _Scale:
    """Finds the place of an address.

    Args:
        parts: in rising order.
    """

    def __init__(self, parts: Sequence[StripPart]) -> None:
        self._parts = parts
        self._firsts = [part.first for part in parts]

    def place(self, address: int) -> float:
        """Return where the middle of an address is."""
        part = self._parts[max(bisect_right(self._firsts, address) - 1, 0)]
        share = (2 * (address - part.first) + 1) / (2 * part.size)
        return part.left + min(share, 1.0) * (part.right - part.left)


def _marks(places: Iterable[float], wide: float, mark: float) -> tuple[tuple[float, float], ...]:
    """Return marks of rising places, joined where they touch."""
    found: list[tuple[float, float]] = []
    for place in places:
        left = min(max(place - mark / 2, 0.0), wide - mark)
        if found and left <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], left + mark)
        else:
            found.append((left, left + mark))
    return tuple(found)


def _labels(
    strip: MapStrip,
    parts: Sequence[StripPart],
    scale: _Scale,
    wide: float,
    text_width: Callable[[str], float],
) -> list[ScaleLabel]:
    chosen: list[tuple[str, float, float]] = []
    placed: list[ScaleLabel] = []
    for text, at in islice(_wanted(strip, parts, scale, wide), _MOST_LABELS):
        long = text_width(text)
        is_new = all(abs(at - other) > _APART * wide for _, other, _ in chosen)
        if long <= wide and is_new:
            found = _in_rows([*chosen, (text, at, long)], wide)
            if found is not None:
                chosen.append((text, at, long))
                placed = found
    return placed


def _in_rows(wanted: Sequence[tuple[str, float, float]], wide: float) -> list[ScaleLabel] | None:
    """Return labels in rows; None where there is no room for all.

    From right to left: what leads to a label of a lower row passes left of the labels above it.
    """
    placed: list[ScaleLabel] = []
    for text, at, long in sorted(wanted, key=lambda one: one[1], reverse=True):
        left = min(at, wide - long)
        rows = (ScaleLabel(text, at, left, left + long, row) for row in range(LABEL_ROWS))
        label = next((one for one in rows if not any(_touch(one, o) for o in placed)), None)
        if label is None:
            return None
        placed.append(label)
    return placed


def _touch(label: ScaleLabel, other: ScaleLabel) -> bool:
    """Report whether labels of one row overlap, or a label hides what leads to a lower one."""
    if label.row == other.row:
        return label.left < other.right and other.left < label.right
    upper, lower = (label, other) if label.row < other.row else (other, label)
    return upper.left <= lower.at < upper.right


def _wanted(
    strip: MapStrip, parts: Sequence[StripPart], scale: _Scale, wide: float
) -> Iterator[tuple[str, float]]:
    """Yield labels and what they point to, the important ones first."""
    family: type[IPAddress] = type(strip.cidr.network_address)
    words = {PartKind.PODS: "pods", PartKind.STATIC: "◆ static", PartKind.EXCLUDED: "excluded"}
    yield str(strip.cidr.network_address), 0.0
    yield str(strip.cidr.broadcast_address), wide
    for kind in (PartKind.STATIC, PartKind.PODS, PartKind.EXCLUDED):
        for part in parts:
            if part.kind is kind:
                yield f"{family(part.first)} {words[kind]}", part.left
    if strip.gateway is not None:
        yield f"{strip.gateway} gateway", scale.place(int(strip.gateway))
