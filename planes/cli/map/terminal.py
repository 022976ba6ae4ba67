"""A map as lines of text, as wide as a terminal: a row of pods, below it the networks' lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from planes.cli.map.facts import MapGroup, MapPod, MapStop, MapStrip, NetworkKind, PlaneMap
from planes.cli.map.strip_layout import PartKind, StripLayout, lay_out_strip
from planes.cli.map.texts import clean, columns, count, fitting

MOST_DRAWN_PODS: Final = 60
"""With more pods only counts are printed, unless all are asked for."""
_COLOURS: Final = ("blue", "yellow", "green", "magenta", "red", "cyan")
_NARROWEST_CARD: Final = 18
_WIDEST_LABEL: Final = 22
_GAP: Final = 2


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line and its colour, "" for none."""

    text: str
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The characters that draw a map."""

    line: str
    dynamic: str
    static: str
    used: str
    gateway: str
    parts: dict[PartKind, str]


_UNICODE: Final = Glyphs(
    "━",
    "●",
    "◆",
    "█",
    "▼",
    {PartKind.REST: "·", PartKind.PODS: "░", PartKind.STATIC: "▒", PartKind.EXCLUDED: "▚"},
)
_ASCII: Final = Glyphs(
    "=",
    "o",
    "*",
    "#",
    "v",
    {PartKind.REST: ".", PartKind.PODS: "-", PartKind.STATIC: "+", PartKind.EXCLUDED: "x"},
)


def lines(
    shown: PlaneMap, wide: int, *, is_ascii: bool = False, is_whole: bool = False
) -> Iterator[TextLine]:
    """Yield the lines of a map, none of them wider than the terminal.

    Args:
        shown: the map.
        wide: columns of the terminal, at least 40.
        is_ascii: use no other characters.
        is_whole: draw every pod, however many there are.
    """
    for line in _Writer(shown, wide, _ASCII if is_ascii else _UNICODE, is_whole).lines():
        text = fitting(clean(line.text), wide).rstrip()
        yield TextLine(_ascii(text) if is_ascii else text, line.colour)


def _ascii(text: str) -> str:
    plain = text.replace("…", "~").replace("·", "-").replace("◆", "*").replace("●", "o")
    return plain.encode("ascii", "replace").decode()


class _Writer:
    def __init__(self, shown: PlaneMap, wide: int, glyphs: Glyphs, is_whole: bool) -> None:
        self._shown = shown
        self._wide = wide
        self._glyphs = glyphs
        self._draws_pods = is_whole or shown.pods <= MOST_DRAWN_PODS
        names = [columns(network.name) for network in shown.networks]
        self._label = min(max(names, default=0), _WIDEST_LABEL, wide // 3) + 1

    def lines(self) -> Iterator[TextLine]:
        shown = self._shown
        pods, planes = count(shown.pods, "pod"), count(shown.planes, "plane")
        where = f" of namespace {shown.namespace}" if shown.namespace else ""
        yield TextLine(f"Planes of {shown.place}: {pods}{where}, {planes}", "bold")
        if not shown.groups:
            yield TextLine("there are no pods")
        for group in shown.groups:
            yield TextLine("")
            yield from self._group(group)
        if shown.more_groups:
            yield TextLine("")
            more = f"and {count(shown.more_groups, shown.by)} more with "
            yield TextLine(more + count(shown.more_pods, "pod"))
        if shown.unused:
            yield TextLine("")
            yield from (TextLine(text) for text in _wrapped(shown.unused.split(), self._wide, " "))
        if shown.groups and not self._draws_pods:
            yield TextLine("")
            yield TextLine("more than 60 pods are counted only: -n NAMESPACE, or -o wide for all")
        for strip in shown.strips:
            yield TextLine("")
            yield from self._strip(strip)
        if shown.strips:
            yield TextLine("")
            yield from self._legend()

    def _group(self, group: MapGroup) -> Iterator[TextLine]:
        missing = group.count - len(group.pods) if self._draws_pods else 0
        heading = f"{self._shown.title(group)} · {count(group.count, 'pod')}"
        yield TextLine(heading + (f", {missing:,} not drawn" if missing else ""), "bold")
        if not self._draws_pods:
            names = self._shown.networks
            counts = [f"{names[i].name} {several:,}" for i, several in group.interfaces.items()]
            yield from (TextLine(f"  {text}") for text in _wrapped(counts, self._wide - 2))
            return
        card = self._card_width(group.pods)
        in_row = max((self._wide - self._label - 2) // card, 1)
        for start in range(0, len(group.pods), in_row):
            if start:
                yield TextLine("")
            yield from self._row(group, group.pods[start : start + in_row], card)

    def _card_width(self, pods: Sequence[MapPod]) -> int:
        texts = [one.text for pod in pods for stop in pod.stops for one in stop.addresses]
        names = [columns(pod.name) for pod in pods]
        longest = max((columns(text) + 2 for text in texts), default=0)
        longest_name = min(max(names, default=0), self._wide // 4)
        wanted = max(_NARROWEST_CARD, longest, longest_name) + _GAP
        return min(wanted, max(self._wide - self._label - 2, 8))

    def _row(self, group: MapGroup, pods: Sequence[MapPod], card: int) -> Iterator[TextLine]:
        indent = " " * (self._label + 2)
        room = card - _GAP
        yield TextLine(indent + "".join(_cell(pod.name, room, card) for pod in pods), "bold")
        where = [pod.namespace if self._shown.by == "node" else pod.node for pod in pods]
        yield TextLine(indent + "".join(_cell(text, room, card) for text in where), "dim")
        for network in sorted(set(group.interfaces)):
            yield from self._lane(network, pods, card)
        hidden = [f"and {pod.more} more" if pod.more else "" for pod in pods]
        if any(hidden):
            yield TextLine(indent + "".join(_cell(text, room, card) for text in hidden))

    def _lane(self, network: int, pods: Sequence[MapPod], card: int) -> Iterator[TextLine]:
        """Yield the line of a network with its stops, and their addresses below it."""
        on = [[stop for stop in pod.stops if stop.network == network] for pod in pods]
        glyph, name = self._glyphs, self._shown.networks[network].name
        for row in range(max(1, *map(len, on))):
            here = [stops[row] if row < len(stops) else None for stops in on]
            label = _cell(name if row == 0 else "", self._label - 1, self._label)
            cells = "".join(self._stop(stop, card) for stop in here)
            yield TextLine(f"{label}{glyph.line * 2}{cells}", self._colour(network))
            below = [self._addresses(stop) for stop in here]
            for place in range(max(map(len, below), default=0)):
                texts = (several[place] if place < len(several) else "" for several in below)
                indent = " " * (self._label + 2)
                cells = "".join(_cell(f"  {text}", card - 1, card) for text in texts)
                yield TextLine(indent + cells)

    def _stop(self, stop: MapStop | None, card: int) -> str:
        glyph = self._glyphs
        if stop is None:
            return glyph.line * card
        symbol = glyph.static if stop.is_static else glyph.dynamic
        text = f"{symbol} {fitting(stop.interface, card - 4)} "
        return text + glyph.line * max(card - columns(text), 0)

    def _addresses(self, stop: MapStop | None) -> list[str]:
        if stop is None:
            return []
        found = [one.text for one in stop.addresses] or ["no address"]
        return [*found, f"and {stop.more} more"] if stop.more else found

    def _colour(self, network: int) -> str:
        if self._shown.networks[network].kind in {NetworkKind.CLUSTER, NetworkKind.REST}:
            return "dim"
        return _COLOURS[network % len(_COLOURS)]

    def _strip(self, strip: MapStrip) -> Iterator[TextLine]:
        network = self._shown.networks[strip.network]
        facts = [
            f"{network.name} {strip.cidr}",
            f"{len(strip.used):,} in use",
            f"{strip.free:,} free",
        ]
        if strip.gateway is not None:
            facts.append(f"gateway {strip.gateway}")
        if strip.kept:
            facts.append(f"{len(strip.kept):,} reserved")
        yield from (TextLine(text, "bold") for text in _wrapped(facts, self._wide))
        layout = lay_out_strip(
            strip, self._wide, narrowest=2, mark=1, text_width=lambda text: columns(text) + 1
        )
        yield TextLine(self._bar(layout), self._colour(strip.network))
        for row in range(layout.label_rows):
            yield TextLine(_scale(layout, row), "dim")

    def _bar(self, layout: StripLayout) -> str:
        cells = [""] * self._wide
        for part in layout.parts:
            for x in range(round(part.left), max(round(part.right), round(part.left))):
                cells[x] = self._glyphs.parts[part.kind]
        if layout.gateway is not None:
            cells[min(int(layout.gateway), self._wide - 1)] = self._glyphs.gateway
        for left, right in layout.used:
            for x in range(int(left), max(int(right), int(left) + 1)):
                cells[min(x, self._wide - 1)] = self._glyphs.used
        return "".join(cells)

    def _legend(self) -> Iterator[TextLine]:
        glyph = self._glyphs
        named = {kind: glyph.parts[kind] for kind in PartKind}
        facts = [
            f"{glyph.static} static",
            f"{glyph.dynamic} dynamic",
            f"{named[PartKind.PODS]} handed out",
            f"{named[PartKind.STATIC]} static range",
            f"{named[PartKind.EXCLUDED]} excluded",
            f"{named[PartKind.REST]} not handed out",
            f"{glyph.used} in use",
            f"{glyph.gateway} gateway",
        ]
        yield from (TextLine(text, "dim") for text in _wrapped(facts, self._wide))


def _cell(text: str, room: int, wide: int) -> str:
    shown = fitting(text, room)
    return shown + " " * max(wide - columns(shown), 0)


def _scale(layout: StripLayout, row: int) -> str:
    text = ""
    for label in sorted((one for one in layout.labels if one.row == row), key=lambda one: one.left):
        text += " " * (round(label.left) - columns(text)) + label.text
    return text


def _wrapped(texts: Sequence[str], wide: int, gap: str = "   ") -> Iterator[str]:
    """Yield lines of texts with a gap between them; a text is not broken."""
    line = ""
    for text in texts:
        longer = f"{line}{gap}{text}" if line else text
        if line and columns(longer) > wide:
            yield line
            longer = text
        line = longer
    if line:
        yield line
