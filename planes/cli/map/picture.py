"""A map as one SVG file: groups below each other, then the strips of addresses."""

from __future__ import annotations

from textwrap import wrap
from typing import Final

from planes.cli.map.drawing import (
    GroupDrawing,
    card_title,
    draw_strip,
    parts_of,
    strip_height,
    strip_layout,
    symbols,
)
from planes.cli.map.facts import MapGroup, MapPod, MapStrip, PlaneMap
from planes.cli.map.layout import END_WIDTH, LABELS_WIDTH, rows
from planes.cli.map.style import PICTURE, colours
from planes.cli.map.texts import count, fitted, fitting, letters, number, xml

WIDTH: Final = 1140.0
MARGIN: Final = 24.0
_INNER: Final = WIDTH - 2 * MARGIN
_GROUP_GAP: Final = 18.0


class Picture:
    """Draws a map from top to bottom.

    Args:
        shown: the map.
    """

    def __init__(self, shown: PlaneMap) -> None:
        self._shown = shown
        self._parts: list[str] = []
        self._y = MARGIN
        self._widest = WIDTH

    def text(self) -> str:
        """Return the file."""
        shown = self._shown
        title = f"Planes of {shown.place}"
        self._line(title, 20, "h1")
        pods, planes = count(shown.pods, "pod"), count(shown.planes, "plane")
        where = f" of namespace {shown.namespace}" if shown.namespace else ""
        about = (
            f"{pods}{where}, {planes}. Each line is a network, each card a pod, each stop an "
            "interface with its address: ◆ static, ● dynamic."
        )
        for text in (about, *shown.warnings):
            for line in wrap(text, letters(_INNER, 13)):
                self._line(line, 13, "f")
        for place, group in enumerate(shown.groups):
            self._group(group, place)
        if shown.more_groups:
            more = f"and {count(shown.more_groups, shown.by)} more with "
            self._line(more + count(shown.more_pods, "pod"), 13)
        for line in wrap(shown.unused, letters(_INNER, 13)):
            self._line(line, 13)
        if shown.strips:
            self._y += _GROUP_GAP
            self._line("Addresses of planes", 16, "h2")
        for strip in shown.strips:
            self._strip(strip)
        return self._file(title, about)

    def _file(self, title: str, about: str) -> str:
        wide, high = number(self._widest), number(self._y + MARGIN - 8)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" '
            f'height="{high}" role="img" aria-labelledby="title about">'
            f'<title id="title">{xml(title)}</title><desc id="about">{xml(about)}</desc>\n'
            f"<style>{colours(self._shown.networks)}{PICTURE}</style>\n"
            f"{symbols(self._shown.networks)}\n"
            f'<rect class="b" width="{wide}" height="{high}"/>\n'
            f"{''.join(self._parts)}</svg>\n"
        )

    def _line(self, text: str, size: float, kind: str = "f") -> None:
        self._y += size
        self._parts.append(
            f'<text class="{kind}" x="{MARGIN:g}" y="{number(self._y)}">'
            f"{xml(fitted(text, _INNER, size))}</text>\n"
        )
        self._y += size * 0.5

    def _move(self, x: float, content: str, extra: str = "") -> None:
        self._parts.append(
            f'<g transform="translate({number(x)} {number(self._y)})"{extra}>{content}</g>\n'
        )

    def _clip(self, x: float, wide: float, high: float, content: str, extra: str = "") -> None:
        """Put something where it is cut at its edges: letters may be wider than was thought."""
        self._parts.append(
            f'<svg x="{number(x)}" y="{number(self._y)}" width="{number(wide)}" '
            f'height="{number(high)}"{extra}>{content}</svg>\n'
        )

    def _group(self, group: MapGroup, place: int) -> None:
        self._y += _GROUP_GAP
        heading = f"{self._shown.title(group)} · {count(group.count, 'pod')}"
        missing = group.count - len(group.pods)
        self._line(
            heading + (f", {missing:,} of them not drawn" if missing else ""),
            15,
            "h3",
        )
        for number_, pods in enumerate(parts_of(group)):
            self._rows(group, pods, f"{place}-{number_}")

    def _rows(self, group: MapGroup, pods: tuple[MapPod, ...], name: str) -> None:
        drawing = GroupDrawing(self._shown, group, pods, name)
        cards = drawing.layout.cards
        self._parts.append(drawing.definitions())
        widths = [card.width for card in cards]
        for row in rows(widths, _INNER - LABELS_WIDTH - END_WIDTH):
            high = drawing.layout.height
            self._clip(MARGIN, LABELS_WIDTH, high, drawing.labels())
            x = MARGIN + LABELS_WIDTH
            for index in row:
                title = f"<title>{xml(card_title(pods[index]))}</title>"
                content = title + drawing.card(index)
                self._clip(x, cards[index].width, high, content, ' class="pod"')
                x += cards[index].width
            self._move(x, drawing.end())
            self._widest = max(self._widest, x + END_WIDTH + MARGIN)
            self._y += high + 12

    def _strip(self, strip: MapStrip) -> None:
        network = self._shown.networks[strip.network]
        layout = strip_layout(strip, _INNER)
        facts = f"{strip.cidr} · {len(strip.used):,} in use · {strip.free:,} free"
        if strip.gateway is not None:
            facts += f" · gateway {strip.gateway}"
        self._y += 22
        name = fitting(network.name, 40)
        self._parts.append(
            f'<text x="{MARGIN:g}" y="{number(self._y)}">'
            f'<tspan class="h k{strip.network}">{xml(name)}</tspan>'
            f'<tspan class="f" dx="8">{xml(facts)}</tspan></text>\n'
        )
        self._y += 8
        self._move(MARGIN, draw_strip(strip, layout), f' class="k{strip.network}"')
        self._y += strip_height(layout)


def picture(shown: PlaneMap) -> str:
    """Return a map as the text of an SVG file."""
    return Picture(shown).text()
