"""Fragments of SVG: the symbols of lines, cards, labels of lines, address strips.

Each fragment is drawn from its own top left; `picture` moves it, `page` makes an `<svg>` of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from planes.cli.map.facts import MapGroup, MapNetwork, MapPod, MapStop, MapStrip, PlaneMap
from planes.cli.map.layout import (
    ADDRESS_LINE,
    END_WIDTH,
    LABELS_WIDTH,
    NAME_SIZE,
    STOP_X,
    TEXT_RIGHT,
    TEXT_X,
    Card,
    GroupLayout,
    PlacedStop,
    lay_out,
)
from planes.cli.map.strip_layout import PartKind, StripLayout, lay_out_strip
from planes.cli.map.style import line_colours
from planes.cli.map.texts import BOLD, MONO, attribute, fitted, number, width, xml

MOST_PODS_OF_PART: Final = 50
"""Pods of a group that are drawn together; a larger one is drawn in parts."""
BAR_HEIGHT: Final = 24.0
LABEL_SIZE: Final = 10.5
_BAR_TOP: Final = 8.0
_LABEL_HEIGHT: Final = 15.0
_NAME_WIDTH: Final = 101.0
_KINDS: Final = {
    PartKind.REST: "p0",
    PartKind.PODS: "p1",
    PartKind.STATIC: "p2",
    PartKind.EXCLUDED: "p3",
}


def symbols(networks: Sequence[MapNetwork]) -> str:
    """Return the stops of each network: `c3` a circle, `d3` a diamond.

    What thousands of stops have in common is written once and used by reference.
    """
    found = [
        '<pattern id="x" width="6" height="6" patternUnits="userSpaceOnUse">'
        '<rect class="p0" width="6" height="6"/><path class="x" d="M0 6L6 0"/></pattern>'
    ]
    x = number(STOP_X - TEXT_X)
    for i, name in enumerate(map(xml, short_names(networks))):
        label = f'<text class="n" y="-9">{name}</text>'
        circle = f'<circle class="o" cx="{x}" r="8"/>'
        diamond = f'<path class="o" d="M{x}-10l10 10l-10 10l-10-10Z"/>'
        found += [
            f'<g id="{kind}{i}" class="k{i}">{shape}{label}</g>'
            for kind, shape in (("c", circle), ("d", diamond))
        ]
    return f"<defs>{''.join(found)}</defs>"


def short_names(networks: Sequence[MapNetwork]) -> list[str]:
    """Return what networks are called on cards."""
    return [fitted(network.short, _NAME_WIDTH, NAME_SIZE, BOLD) for network in networks]


def parts_of(group: MapGroup) -> Iterator[tuple[MapPod, ...]]:
    """Yield the drawn pods of a group, at most so many at once."""
    for start in range(0, len(group.pods), MOST_PODS_OF_PART):
        yield group.pods[start : start + MOST_PODS_OF_PART]


class GroupDrawing:
    """The cards and labels of one part of a group.

    Args:
        shown: the map.
        group: of the map.
        pods: of the group.
        name: makes the IDs of what is used by reference; unique in a document.

    Attributes:
        layout: where everything is.
    """

    def __init__(self, shown: PlaneMap, group: MapGroup, pods: Sequence[MapPod], name: str) -> None:
        self._by = shown.by
        self._networks = shown.networks
        self._dashed = [dashed for _, dashed in line_colours(shown.networks)]
        self._pods = pods
        self._name = name
        self.layout: GroupLayout = lay_out(group, pods, short_names(shown.networks))

    def definitions(self) -> str:
        """Return what cards and rows use by reference: the lines of a card, the labels."""
        widths = sorted({card.width for card in self.layout.cards})
        lines = "".join(
            f'<g id="l{self._name}-{number(wide)}">{self._lines(0, wide)}</g>' for wide in widths
        )
        return f'<defs>{lines}<g id="t{self._name}">{self._labels()}</g></defs>'

    def _lines(self, start: float, end: float) -> str:
        return "".join(
            f'<path class="l k{lane.network}{self._dash(lane.network)}" '
            f'd="M{number(start)} {number(lane.y)}H{number(end)}"/>'
            for lane in self.layout.lanes
        )

    def _dash(self, network: int) -> str:
        return " d" if self._dashed[network] else ""

    def _labels(self) -> str:
        found = [self._lines(LABELS_WIDTH - 26, LABELS_WIDTH), self._caps(LABELS_WIDTH - 26)]
        for lane in self.layout.lanes:
            network = self._networks[lane.network]
            name = xml(fitted(network.name, LABELS_WIDTH - 24, 14, BOLD))
            found.append(f'<text class="h k{lane.network}" y="{number(lane.y - 10)}">{name}</text>')
            found += [
                f'<text class="m" y="{number(lane.y + 6 + 13 * row)}">'
                f"{xml(fitted(about, LABELS_WIDTH - 34, 11))}</text>"
                for row, about in enumerate(network.about[:2])
            ]
        return "".join(found)

    def _caps(self, x: float) -> str:
        """Return the round ends of lines."""
        return "".join(
            f'<path class="l r k{lane.network}" d="M{number(x)} {number(lane.y)}h.1"/>'
            for lane in self.layout.lanes
        )

    def labels(self) -> str:
        """Return the labels of the lines, `LABELS_WIDTH` wide."""
        return f'<use href="#t{self._name}"/>'

    def end(self) -> str:
        """Return the ends of the lines, `END_WIDTH` wide."""
        x = END_WIDTH - 4
        return self._lines(0, x) + self._caps(x)

    def card(self, index: int) -> str:
        """Return a pod's card, with the lines above it and the stops on them."""
        pod, card = self._pods[index], self.layout.cards[index]
        box, left = card.box, card.box.x + 12
        room = box.width - 24
        where = pod.namespace if self._by == "node" else pod.node
        found = [
            f'<rect class="c" x="{number(box.x)}" y="{number(box.y + 0.5)}" '
            f'width="{number(box.width)}" height="{number(box.height - 1)}" rx="9"/>',
            f'<text class="t" x="{number(left)}" y="23">'
            f"{xml(fitted(pod.name, room, 13, BOLD))}</text>",
            f'<text class="m" x="{number(left)}" y="40">{xml(fitted(where, room, 11))}</text>',
            f'<use href="#l{self._name}-{number(card.width)}"/>',
            *_connections(card),
        ]
        for column in sorted({placed.x for placed in card.stops}):
            stops = (placed for placed in card.stops if placed.x == column)
            drawn = "".join(self._stop(pod.stops[placed.stop], placed) for placed in stops)
            moved = number(column + TEXT_X - STOP_X)
            found.append(f'<g transform="translate({moved})">{drawn}</g>')
        if card.hidden:
            found.append(
                f'<text class="i" x="{number(box.x + box.width - TEXT_RIGHT)}" y="56">'
                f"and {card.hidden} more</text>"
            )
        return "".join(found)

    def _stop(self, stop: MapStop, placed: PlacedStop) -> str:
        symbol = "d" if stop.is_static else "c"
        right, y = placed.right - TEXT_RIGHT - placed.x - TEXT_X + STOP_X, placed.y
        lines = [f"{one.text} ◆" if one.is_static else one.text for one in stop.addresses]
        if stop.more:
            lines.append(f"and {stop.more} more")
        texts = "".join(
            f'<text y="{number(y + 5 + ADDRESS_LINE * (row + 1))}">{xml(line)}</text>'
            for row, line in enumerate(lines or ["no address"])
        )
        return (
            f'<use href="#{symbol}{stop.network}" y="{number(y)}"/>'
            f'<text class="i" x="{number(right)}" y="{number(y - 9)}">'
            f"{xml(stop.interface)}</text>{texts}"
        )


def _connections(card: Card) -> Iterator[str]:
    """Yield what joins the stops of a pod, drawn above the lines and below the stops."""
    columns: dict[float, list[float]] = {}
    for stop in card.stops:
        columns.setdefault(stop.x, []).append(stop.y)
    for x, ys in columns.items():
        if len(ys) > 1:
            yield f'<path class="v" d="M{number(x)} {number(min(ys))}V{number(max(ys))}"/>'


def card_title(pod: MapPod) -> str:
    """Return what a card is called: pod and node."""
    return f"pod {pod.namespace}/{pod.name}" + (f" on {pod.node}" if pod.node else "")


def strip_layout(strip: MapStrip, wide: float) -> StripLayout:
    """Return the layout of a strip in pixels."""
    return lay_out_strip(
        strip,
        wide,
        narrowest=24.0 if wide > 600 else 14.0,
        mark=2.0,
        text_width=lambda text: width(text, LABEL_SIZE, MONO) + 10,
    )


def strip_height(layout: StripLayout) -> float:
    """Return the height of a strip with its labels."""
    return _BAR_TOP + BAR_HEIGHT + 4 + _LABEL_HEIGHT * layout.label_rows


def draw_strip(strip: MapStrip, layout: StripLayout) -> str:
    """Return a strip: parts, marks of what is used, labels of its scale."""
    middle, bottom = _BAR_TOP + BAR_HEIGHT / 2, _BAR_TOP + BAR_HEIGHT
    found = [
        f'<rect class="{_KINDS[part.kind]}" x="{number(part.left)}" y="{_BAR_TOP:g}" '
        f'width="{number(max(part.right - part.left, 0.1))}" height="{BAR_HEIGHT:g}"/>'
        for part in layout.parts
    ]
    for label in layout.labels:
        y = bottom + 4 + _LABEL_HEIGHT * (label.row + 1) - 4
        at = min(max(label.at, 0.5), layout.parts[-1].right - 0.5)
        found.append(f'<path class="w" d="M{number(at)} {bottom:g}V{number(y - 8)}"/>')
        x = label.left + (4 if label.at < label.right - 6 else 0)
        found.append(f'<text class="s" x="{number(x)}" y="{number(y)}">{xml(label.text)}</text>')
    if layout.used:
        marks = "".join(
            f"M{number(left)} {_BAR_TOP + 4:g}H{number(right)}V{bottom - 4:g}H{number(left)}Z"
            for left, right in layout.used
        )
        found.append(f'<path class="u" d="{marks}"/>')
    if layout.kept:
        marks = "".join(f"M{x:g} {middle - 5:g}l5 5l-5 5l-5-5Z" for x in layout.kept)
        found.append(f'<path class="k" d="{marks}"/>')
    if layout.gateway is not None:
        tip = number(min(max(layout.gateway, 5.0), layout.parts[-1].right - 5))
        found.append(f'<path class="u" d="M{tip} {_BAR_TOP:g}l5-8h-10Z"/>')
    return "".join(found)


def described(text: str) -> str:
    """Return the attributes of a picture that says what it shows."""
    return f'role="img" aria-label={attribute(text)}'
