"""The style sheets of a map: colours of lines, then the same rules for the picture and the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from planes.cli.map.facts import MapNetwork, NetworkKind
from planes.cli.map.palette import DARK, GREY, LIGHT, LINES, is_dashed

PICTURE: Final = """\
text{fill:var(--fg);font:12px var(--mono)}
.h1{font:700 20px var(--sans)}
.h2{font:700 16px var(--sans)}
.h3{font:600 15px var(--sans)}
.f{fill:var(--mut);font:13px var(--sans)}
.b{fill:var(--bg)}
.c{fill:var(--card);stroke:var(--edge)}
.l{fill:none;stroke:currentColor;stroke-width:6}
.r{stroke-linecap:round}
.d{stroke-dasharray:14 4}
.v{fill:none;stroke:var(--mut);stroke-width:1.5}
.o{fill:currentColor;stroke:var(--card);stroke-width:2.5}
.n{fill:currentColor;font:600 11px var(--sans)}
.t{font:600 13px var(--sans)}
.h{fill:currentColor;font:700 14px var(--sans)}
.m{fill:var(--mut);font:11px var(--sans)}
.i{fill:var(--mut);font:11px var(--sans);text-anchor:end}
.s{fill:var(--mut);font:10.5px var(--mono)}
.w{fill:none;stroke:var(--mut);stroke-width:1}
.p0{fill:var(--rest)}
.p1{fill:currentColor;opacity:.32}
.p2{fill:currentColor;opacity:.68}
.p3{fill:url(#x)}
.x{stroke:var(--mut);stroke-width:2}
.u{fill:var(--fg)}
.k{fill:var(--bg);stroke:var(--fg);stroke-width:1.5}
"""
"""Classes are short: a large map has each of them thousands of times."""

PAGE: Final = """\
*{box-sizing:border-box}
html{color-scheme:light dark;-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{background:var(--bg);color:var(--fg);font:15px/1.5 var(--sans);margin:0;overflow-wrap:anywhere}
main{max-width:1164px;margin:0 auto;padding:28px 24px 40px}
h1{font-size:24px;line-height:1.25;margin:0 0 4px}
h2{font-size:18px;margin:34px 0 8px}
h3{font-size:14px;margin:24px 0 6px;font-weight:400}
h3 span{color:var(--mut)}
h3 b{color:var(--k);margin-right:6px;font-size:16px}
p{margin:0 0 10px;color:var(--mut)}
.keys span{display:inline-block;margin-right:18px;font-size:13px}
ul{margin:8px 0 0;padding:0;list-style:none;color:var(--mut);font-size:13px}
li{margin:1px 0}
li b{font-weight:600;color:var(--fg);margin-right:4px}
.after{margin-top:10px}
.aside{display:none}
.note{border-left:3px solid var(--mut);padding-left:10px}
code,.mono{font-family:var(--mono);font-size:.93em}
svg{display:block}
details{border-top:1px solid var(--edge)}
details:last-of-type{border-bottom:1px solid var(--edge)}
summary{cursor:pointer;padding:9px 2px;font-weight:600}
summary:focus-visible{outline:2px solid var(--fg);outline-offset:2px}
summary span{font-weight:400;color:var(--mut);margin-left:10px;display:inline-block}
summary i{font-style:normal;margin-left:10px;display:inline-block;font-size:13px;font-weight:400}
.band{display:flex;flex-wrap:wrap;row-gap:12px;margin:4px 0 18px}
.band svg{flex:none}
.over{flex-wrap:nowrap}
.band+.band{margin-top:-4px}
.pods{overflow-x:auto;padding-bottom:2px}
.mid,.thin{display:none}
@media(max-width:1163px){.full{display:none}.mid{display:block}}
.key{display:inline-block;width:12px;height:12px;border-radius:3px;vertical-align:-1px;
margin-right:5px;background:var(--k);print-color-adjust:exact}
.key.even{background:var(--rest)}
.key.pods{opacity:.32}
.key.static{opacity:.68}
.key.out{background:repeating-linear-gradient(45deg,var(--mut) 0 1.5px,var(--rest) 1.5px 4px)}
.key.used{width:4px;background:var(--fg);border-radius:0}
.key.one{background:var(--bg);border:1.5px solid var(--fg);transform:rotate(45deg) scale(.7)}
@media(max-width:720px){main{padding:18px 8px 28px}h1{font-size:21px}
.labels,.end,.mid{display:none}.thin{display:block;max-width:100%;height:auto}
.aside{display:block;margin:2px 0;font-size:13px}
summary span{display:block;margin:0}summary i{margin:0 10px 0 0}}
@media print{main{max-width:none;padding:0}.band svg,.strip{break-inside:avoid}
details::details-content{content-visibility:visible;display:block;height:auto}
details{border:0}.pods{overflow:visible}}
"""

_FONTS: Final = (
    '--sans:system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;'
    '--mono:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace'
)


def colours(networks: Sequence[MapNetwork]) -> str:
    """Return the variables and the classes `k0`, `k1`, … of the lines, for both schemes."""
    pairs = [pair for pair, _ in line_colours(networks)]
    light = _variables(LIGHT, [pair[0] for pair in pairs])
    dark = _variables(DARK, [pair[1] for pair in pairs])
    classes = "".join(f".k{i}{{color:var(--k{i});--k:var(--k{i})}}\n" for i in range(len(networks)))
    # Printers have white paper, whatever the screen is.
    return (
        f":root{{{light};{_FONTS}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{classes}"
    )


def line_colours(networks: Sequence[MapNetwork]) -> Iterator[tuple[tuple[str, str], bool]]:
    """Yield for each line its light and its dark colour, and whether it is dashed."""
    place = 0
    for network in networks:
        if network.kind in {NetworkKind.CLUSTER, NetworkKind.REST}:
            yield GREY, network.kind is NetworkKind.REST
        else:
            yield LINES[place % len(LINES)], is_dashed(place)
            place += 1


def _variables(base: dict[str, str], lines: Sequence[str]) -> str:
    values = {**base, **{f"k{i}": line for i, line in enumerate(lines)}}
    return ";".join(f"--{name}:{value}" for name, value in values.items())
