"""Where lines, cards and stops of a group are: pure geometry, in pixels from the top left.

A network's line crosses the cards of all pods of the group at one height, its lane. Each card is
drawn below the lines, and each stop on its line. Cards of a row are of one height and touch, so
that the lines of one card go on in the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from planes.cli.map.facts import MapGroup, MapPod
from planes.cli.map.texts import BOLD, MONO, width

CARD_MARGIN: Final = 6.0
"""Between the card and the edge of its place, on each side."""
HEADER: Final = 50.0
"""Above the first lane: the pod's name, its namespace and node."""
FOOT: Final = 12.0
ABOVE_LINE: Final = 28.0
BELOW_LINE: Final = 14.0
ADDRESS_LINE: Final = 16.0
STOP_X: Final = 26.0
TEXT_X: Final = 42.0
TEXT_RIGHT: Final = 10.0
"""Between the texts of a stop and the right edge of its card."""
ADDRESS_SIZE: Final = 12.0
NAME_SIZE: Final = 11.0
LABELS_WIDTH: Final = 186.0
END_WIDTH: Final = 14.0
NARROWEST_SLOT: Final = 176.0
MOST_SLOTS: Final = 4
"""Interfaces of one pod on one line that are drawn."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float

    def overlaps(self, other: Box) -> bool:
        """Report whether they share more than an edge."""
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )


@dataclass(frozen=True, slots=True)
class Lane:
    """The height of a network's line.

    Attributes:
        y: of the line.
        top, bottom: of the space that its texts have.
    """

    network: int
    y: float
    top: float
    bottom: float


@dataclass(frozen=True, slots=True)
class PlacedStop:
    """A stop of a card.

    Attributes:
        stop: index in the pod's stops.
        right: where its texts end at most.
    """

    stop: int
    x: float
    y: float
    right: float


@dataclass(frozen=True, slots=True)
class Card:
    """A pod's place: `width` with the margins, `box` the card within it.

    Attributes:
        hidden: interfaces that have no stop on it.
    """

    width: float
    box: Box
    stops: tuple[PlacedStop, ...]
    hidden: int


@dataclass(frozen=True, slots=True)
class GroupLayout:
    """Lanes and cards of one group; cards are in the order of its pods."""

    lanes: tuple[Lane, ...]
    height: float
    cards: tuple[Card, ...]


def lay_out(group: MapGroup, pods: Sequence[MapPod], names: Sequence[str]) -> GroupLayout:
    """Return the lanes that a group's pods use, and a card for each of them.

    Args:
        group: all of it, for one part of it has the lanes of the others.
        pods: of the group, those to draw.
        names: what networks are called on cards, by their index.
    """
    lanes = tuple(_lanes(group, pods))
    height = (lanes[-1].bottom if lanes else HEADER) + FOOT
    slot = _slot_width(pods, names)
    by_network = {lane.network: lane for lane in lanes}
    cards = tuple(_card(pod, by_network, slot, height) for pod in pods)
    return GroupLayout(lanes, height, cards)


def _lanes(group: MapGroup, pods: Sequence[MapPod]) -> Iterable[Lane]:
    lines: dict[int, int] = dict.fromkeys(group.interfaces, 1)
    for pod in pods:
        for stop in pod.stops:
            count = len(stop.addresses) + bool(stop.more)
            lines[stop.network] = max(lines.get(stop.network, 1), count)
    top = HEADER
    for network in sorted(lines):
        y = top + ABOVE_LINE
        bottom = y + ADDRESS_LINE * lines[network] + BELOW_LINE
        yield Lane(network, y, top, bottom)
        top = bottom


def _slot_width(pods: Iterable[MapPod], names: Sequence[str]) -> float:
    longest = 0.0
    for pod in pods:
        for stop in pod.stops:
            name = width(names[stop.network], NAME_SIZE, BOLD)
            longest = max(longest, name + 8 + width(stop.interface, NAME_SIZE))
            for one in stop.addresses:
                longest = max(longest, width(f"{one.text} ◆", ADDRESS_SIZE, MONO))
    # Whole pixels: lines of neighbouring cards meet without a seam.
    return ceil(max(NARROWEST_SLOT, TEXT_X + longest + TEXT_RIGHT + 2 * CARD_MARGIN))


def _card(pod: MapPod, lanes: dict[int, Lane], slot: float, height: float) -> Card:
    placed: list[PlacedStop] = []
    taken: dict[int, int] = {}
    for number, stop in enumerate(pod.stops):
        place = taken.get(stop.network, 0)
        if place == MOST_SLOTS:
            continue
        taken[stop.network] = place + 1
        left = place * (slot - 2 * CARD_MARGIN)
        right = left + slot - 2 * CARD_MARGIN
        placed.append(PlacedStop(number, left + STOP_X, lanes[stop.network].y, right))
    slots = max(taken.values(), default=1)
    wide = slots * (slot - 2 * CARD_MARGIN) + 2 * CARD_MARGIN
    box = Box(CARD_MARGIN, 0, wide - 2 * CARD_MARGIN, height)
    return Card(wide, box, tuple(placed), pod.more + len(pod.stops) - len(placed))


def rows(widths: Sequence[float], available: float) -> tuple[tuple[int, ...], ...]:
    """Return which cards stand in each row, by their index; one that is too wide stands alone."""
    found: list[list[int]] = []
    used = 0.0
    for index, wide in enumerate(widths):
        if not found or used + wide > available:
            found.append([])
            used = 0.0
        found[-1].append(index)
        used += wide
    return tuple(map(tuple, found))
