"""A map as one HTML file: no script, nothing from elsewhere; well-formed XML as well.

Cards are pictures of their own in a row that wraps, so the page fits any width: their lines meet
where they touch. Groups of large maps are folded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from planes.cli.map.drawing import (
    GroupDrawing,
    card_title,
    described,
    draw_strip,
    parts_of,
    strip_height,
    strip_layout,
    symbols,
)
from planes.cli.map.facts import MapGroup, MapPod, MapStrip, NetworkKind, PlaneMap
from planes.cli.map.layout import END_WIDTH, LABELS_WIDTH, rows
from planes.cli.map.strip_layout import StripLayout
from planes.cli.map.style import PAGE, PICTURE, colours
from planes.cli.map.texts import count, number, xml
from planes.model.lines import first_few

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""Nothing is fetched, and no script runs, whatever is in the texts."""
WIDE: Final = 1116.0
MIDDLE: Final = 660.0
THIN: Final = 350.0
MOST_OPEN_PODS: Final = 60
"""With more pods all groups are folded."""
_ASIDE: Final = '<p class="aside">A card that is wider than the screen can be moved sideways.</p>'
_MOST_SPANS: Final = 8
_SPREAD_NAMES: Final = 3


def page(shown: PlaneMap, *, refresh_seconds: int = 0) -> str:
    """Return the HTML text.

    Args:
        shown: the map.
        refresh_seconds: after how long a browser asks again; 0 for never.
    """
    return "".join(_page(shown, refresh_seconds))


def _page(shown: PlaneMap, refresh_seconds: int) -> Iterator[str]:
    title = f"Planes of {shown.place}"
    refresh = f'<meta http-equiv="refresh" content="{refresh_seconds}"/>' if refresh_seconds else ""
    yield (
        '<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml" lang="en"><head>'
        '<meta charset="utf-8"/>'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"/>{refresh}'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        '<meta name="referrer" content="no-referrer"/>'
        f"<title>{xml(title)}</title>\n<style>{colours(shown.networks)}{PICTURE}{PAGE}</style>"
        "</head><body>"
        '<svg xmlns="http://www.w3.org/2000/svg" width="0" height="0" '
        f'style="position:absolute" aria-hidden="true">{symbols(shown.networks)}</svg>\n<main>'
        f"<h1>{xml(title)}</h1>"
    )
    yield f"<p>{_summary(shown)}</p>"
    yield (
        "<p>Each line is a network, each card a pod, each stop an interface with its address: "
        "◆\N{NO-BREAK SPACE}static, ●\N{NO-BREAK SPACE}dynamic.</p>"
    )
    yield from (f'<p class="note">{xml(note)}</p>' for note in shown.warnings)
    yield from _groups(shown)
    if shown.strips:
        yield from _addresses(shown)
    yield "</main></body></html>\n"


def _summary(shown: PlaneMap) -> str:
    where = f" of namespace {xml(shown.namespace)}" if shown.namespace else ""
    when = f" · as of {xml(shown.when.replace('T', ' ').replace('Z', ' UTC'))}"
    return f"{count(shown.pods, 'pod')}{where}, {count(shown.planes, 'plane')}{when}"


def _groups(shown: PlaneMap) -> Iterator[str]:
    yield f"\n<h2>Pods by {shown.by}</h2>"
    if not shown.groups:
        yield "<p>There are no pods.</p>"
    opened = ' open="open"' if shown.pods <= MOST_OPEN_PODS else ""
    for place, group in enumerate(shown.groups):
        parts = list(parts_of(group)) or [()]
        for number_, pods in enumerate(parts):
            which = _which(pods, len(parts))
            yield (
                f"\n<details{opened}><summary>"
                f"<bdi>{xml(shown.title(group))}</bdi><span> {which}{_drawn(group)}</span>"
                f"{_uses(shown, group)}</summary>"
            )
            if pods:
                yield from _cards(shown, group, pods, f"{place}-{number_}")
            yield "</details>"
    if shown.more_groups:
        yield (
            f'<p class="note">And {count(shown.more_groups, shown.by)} more with '
            f"{count(shown.more_pods, 'pod')}: -n NAMESPACE shows those of one namespace.</p>"
        )

    if shown.unused:
        yield f'<p class="after">{xml(_sentence(shown.unused))}</p>'


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _which(pods: tuple[MapPod, ...], parts: int) -> str:
    """Return which pods a part of a group has."""
    if parts == 1 or not pods:
        return ""
    return f"<bdi>{xml(pods[0].name)}</bdi> to <bdi>{xml(pods[-1].name)}</bdi>, of "


def _drawn(group: MapGroup) -> str:
    missing = group.count - len(group.pods)
    return count(group.count, "pod") + (f", {missing:,} of them not drawn" if missing else "")


def _uses(shown: PlaneMap, group: MapGroup) -> str:
    found = [
        f'<i class="k{i}"><b class="key k{i}"></b>{xml(shown.networks[i].short)} {several:,}</i>'
        for i, several in group.interfaces.items()
    ]
    return "".join(found)


def _cards(shown: PlaneMap, group: MapGroup, pods: tuple[MapPod, ...], name: str) -> Iterator[str]:
    drawing = GroupDrawing(shown, group, pods, name)
    layout = drawing.layout
    high = number(layout.height)
    yield (
        '<svg xmlns="http://www.w3.org/2000/svg" width="0" height="0" '
        f'style="position:absolute" aria-hidden="true">{drawing.definitions()}</svg>'
        f'{_ASIDE if max(card.width for card in layout.cards) > THIN else ""}<div class="pods">'
    )
    available = WIDE - LABELS_WIDTH - END_WIDTH
    for row in rows([card.width for card in layout.cards], available):
        is_over = sum(layout.cards[index].width for index in row) > available
        yield (
            f'<div class="band{" over" if is_over else ""}">'
            f"{_svg('labels', LABELS_WIDTH, high, drawing.labels())}"
        )
        for index in row:
            title = xml(card_title(pods[index]))
            yield _svg(
                "pod",
                layout.cards[index].width,
                high,
                f"<title>{title}</title>{drawing.card(index)}",
            )
        yield f"{_svg('end', END_WIDTH, high, drawing.end())}</div>\n"
    yield "</div>"


def _svg(kind: str, wide: float, high: str, content: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{kind}" width="{number(wide)}" '
        f'height="{high}">{content}</svg>'
    )


def _addresses(shown: PlaneMap) -> Iterator[str]:
    keys = (
        ("pods", "handed out"),
        ("static", "static ranges"),
        ("even", "not handed out"),
        ("out", "excluded"),
        ("used", "in use"),
        ("one", "reserved"),
    )
    marks = " ".join(
        f'<span><b class="key {kind} k{_first_plane(shown)}"></b>{text}</span>'
        for kind, text in keys
    )
    yield f"\n<h2>Addresses of planes</h2><p class='keys'>{marks} <span>▼ gateway</span></p>"
    for place, strip in enumerate(shown.strips):
        yield from _strip(shown, strip, place)


def _first_plane(shown: PlaneMap) -> int:
    return next(i for i, one in enumerate(shown.networks) if one.kind is NetworkKind.PLANE)


def _strip(shown: PlaneMap, strip: MapStrip, place: int) -> Iterator[str]:
    network = shown.networks[strip.network]
    facts = f"{len(strip.used):,} in use · {strip.free:,} free"
    if strip.gateway is not None:
        facts += f" · gateway {strip.gateway}"
    yield (
        f'\n<section class="strip" id="s{place}"><h3 class="k{strip.network}">'
        f"<b>{xml(network.name)}</b> <span>{strip.cidr} · {facts}</span></h3>"
    )
    text = f"addresses of plane {network.name}: {facts}"
    for kind, wide in (("full", WIDE), ("mid", MIDDLE), ("thin", THIN)):
        layout = strip_layout(strip, wide)
        yield _strip_svg(strip, layout, kind, wide, text)
    yield f"<ul>{''.join(_facts(network.about, network.purpose, strip))}</ul></section>"


def _strip_svg(strip: MapStrip, layout: StripLayout, kind: str, wide: float, text: str) -> str:
    broad, high = number(wide), number(strip_height(layout))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{kind} k{strip.network}" '
        f'width="{broad}" height="{high}" viewBox="0 0 {broad} {high}" {described(text)}>'
        f"<title>{xml(text)}</title>{draw_strip(strip, layout)}</svg>"
    )


def _facts(about: tuple[str, ...], purpose: str, strip: MapStrip) -> Iterator[str]:
    """Yield what a strip cannot show to the address."""
    first = " · ".join(filter(None, (purpose, *about[:1])))
    if first:
        yield f"<li><bdi>{xml(first)}</bdi></li>"
    for name, spans in (
        ("handed out", strip.ranges),
        ("static", strip.static),
        ("excluded", strip.excluded),
    ):
        if spans:
            yield f"<li><b>{name}</b> {xml(first_few(spans, _MOST_SPANS))}</li>"
    if strip.kept:
        kept = [f"{ip} for {whom}" for ip, whom in strip.kept]
        yield f"<li><b>reserved</b> <bdi>{xml(first_few(kept, _SPREAD_NAMES))}</bdi></li>"
