"""The geometry of lines, cards and stops."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from planes.cli.map.facts import MapAddress, MapGroup, MapPod, MapStop
from planes.cli.map.layout import (
    ABOVE_LINE,
    CARD_MARGIN,
    HEADER,
    MOST_SLOTS,
    Box,
    GroupLayout,
    lay_out,
    rows,
)
from planes.cli.map.texts import width
from tests.cli.map.maps import NETWORKS, groups

NAMES = ["cluster", "business", "storage", "other"]


def laid_out(group: MapGroup) -> GroupLayout:
    return lay_out(group, group.pods, NAMES[:NETWORKS])


def placed_boxes(layout: GroupLayout, available: float) -> list[Box]:
    """Return the cards where the rows have them."""
    found, y = [], 0.0
    for row in rows([card.width for card in layout.cards], available):
        x = 0.0
        for index in row:
            card = layout.cards[index]
            found.append(Box(x + card.box.x, y + card.box.y, card.box.width, card.box.height))
            x += card.width
        y += layout.height
    return found


@given(groups(), st.floats(300, 2000))
def test_no_two_cards_overlap(group: MapGroup, available: float) -> None:
    boxes = placed_boxes(laid_out(group), available)
    assert len(boxes) == len(group.pods)
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


@given(st.lists(st.integers(1, 500)), st.integers(300, 2000))
def test_a_row_is_not_wider_than_the_page_unless_it_has_one_card(
    widths: list[int], available: int
) -> None:
    found = rows(widths, available)
    assert [index for row in found for index in row] == list(range(len(widths)))
    assert all(len(row) == 1 or sum(widths[i] for i in row) <= available for row in found)


@given(groups())
def test_every_interface_has_a_stop_or_is_counted(group: MapGroup) -> None:
    layout = laid_out(group)
    for pod, card in zip(group.pods, layout.cards, strict=True):
        assert len(card.stops) + card.hidden == len(pod.stops) + pod.more
        for network in range(NETWORKS):
            on = [stop for stop in card.stops if pod.stops[stop.stop].network == network]
            wanted = sum(stop.network == network for stop in pod.stops)
            assert len(on) == min(wanted, MOST_SLOTS)


@given(groups())
def test_every_stop_is_on_the_line_of_its_network_and_on_its_card(group: MapGroup) -> None:
    layout = laid_out(group)
    lanes = {lane.network: lane.y for lane in layout.lanes}
    for pod, card in zip(group.pods, layout.cards, strict=True):
        for placed in card.stops:
            assert placed.y == lanes[pod.stops[placed.stop].network]
            assert card.box.x < placed.x < placed.right <= card.box.x + card.box.width
            assert card.box.y < placed.y < card.box.y + card.box.height


@given(groups())
def test_lanes_have_room_for_all_addresses_of_a_stop_and_do_not_overlap(group: MapGroup) -> None:
    layout = laid_out(group)
    bottom = HEADER
    for lane in layout.lanes:
        assert lane.top == bottom
        assert lane.y == lane.top + ABOVE_LINE
        bottom = lane.bottom
    assert layout.height > bottom
    lowest = {lane.network: lane for lane in layout.lanes}
    for pod in group.pods:
        for stop in pod.stops:
            lines = len(stop.addresses) + bool(stop.more)
            assert lowest[stop.network].y + 16 * lines < lowest[stop.network].bottom


@given(groups())
def test_no_text_of_a_stop_reaches_another_stop(group: MapGroup) -> None:
    for pod, card in zip(group.pods, laid_out(group).cards, strict=True):
        for placed in card.stops:
            stop = pod.stops[placed.stop]
            room = placed.right - placed.x - 16
            assert width(NAMES[stop.network], 11) + width(stop.interface, 11) < room
            assert all(width(one.text, 12) <= room for one in stop.addresses)


def test_two_interfaces_on_one_network_stand_beside_each_other() -> None:
    stops = tuple(MapStop(1, f"net{n}", (MapAddress(f"10.0.0.{n}"),)) for n in (1, 2))
    group = MapGroup("node1", (MapPod("shop", "web", "node1", stops),), 1, {1: 2})
    (card,) = laid_out(group).cards
    first, second = card.stops
    assert first.y == second.y
    assert first.right <= second.x
    assert card.width == card.box.width + 2 * CARD_MARGIN


def test_a_group_without_pods_has_the_lines_of_its_counts() -> None:
    layout = lay_out(MapGroup("node1", (), 7, {0: 7, 2: 3}), (), NAMES)
    assert [lane.network for lane in layout.lanes] == [0, 2]
    assert layout.cards == ()
