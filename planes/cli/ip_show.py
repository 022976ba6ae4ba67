"""`netplane ip show`: how many addresses planes have, who uses them, and how many are left."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from planes.cli.command import Command, Context, Task
from planes.cli.console import Console
from planes.cli.reading.place import PLACE_OPTIONS, Place, at_place
from planes.model.lines import first_few, printable

if TYPE_CHECKING:
    from planes.cli.addresses.family_counts import FamilyCount

_PLANES: Final = (
    *("PLANE", "FAMILY", "SIZE", "USED", "FREE", "STATIC", "COOLING", "KEPT"),
    *("COUNTED-BY", "RANGES", "STATIC-RANGES"),
)
_PLANE_COLUMNS: Final = 8
_NODES: Final = (
    *("PLANE", "FAMILY", "NODE", "BLOCKS", "ADDRESSES", "USED", "COOLING", "STATIC", "BORROWED"),
    "CIDRS",
)
_NODE_COLUMNS: Final = 9
_MOST_EXACT: Final = 10**9
_MOST_NAMED: Final = 8
"""Ranges or blocks in a cell; a document has all."""


def run_show(context: Context) -> int:
    """Print the counts of one plane with its nodes, or of all planes."""
    name, console = context.given.plane, context.console
    warnings: list[str] = []

    async def work(place: Place) -> list[FamilyCount]:
        from planes.cli.addresses.counting import count_planes  # noqa: PLC0415
        from planes.cli.addresses.named_plane import own_addresses_of  # noqa: PLC0415

        only = [(await own_addresses_of(place, name)).name] if name else []
        return await count_planes(place, only, warnings.append)

    found = at_place(context, work)
    for text in warnings:
        console.warn(printable(text))
    console.document(
        {"planes": [count.as_json() for count in found], "warnings": list(map(printable, warnings))}
    )
    print_counts(console, found, with_nodes=bool(name) or console.is_wide)
    return 0


def print_counts(console: Console, found: Sequence[FamilyCount], *, with_nodes: bool) -> None:
    """Print a table of planes, and maybe one of nodes."""
    if not found:
        console.line("no plane hands out addresses")
        return
    console.table(_PLANES, [tuple(_plane_row(one)) for one in found], wide=_PLANE_COLUMNS)
    rows = [row for one in found for row in _node_rows(one)]
    if with_nodes and rows:
        console.line("")
        console.table(_NODES, rows, wide=_NODE_COLUMNS)


def _plane_row(one: FamilyCount) -> Iterator[str]:
    yield one.plane
    yield f"IPv{one.version}"
    for number in (one.size, one.used, one.free, one.static, one.cooling, one.kept):
        yield _shown(number)
    yield one.source
    yield first_few(one.ranges, _MOST_NAMED) or "-"
    yield first_few(one.static_ranges, _MOST_NAMED) or "-"


def _node_rows(one: FamilyCount) -> Iterator[tuple[str, ...]]:
    for node in one.nodes:
        numbers = (node.addresses, node.used, node.cooling, node.static, node.borrowed)
        yield (
            *(one.plane, f"IPv{one.version}", printable(node.node), str(len(node.blocks))),
            *map(_shown, numbers),
            first_few(node.blocks, _MOST_NAMED) or "-",
        )


def _shown(number: int | None) -> str:
    if number is None:
        return "-"
    return str(number) if number < _MOST_EXACT else f"{number:.2e}"


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("plane", nargs="?", default="", metavar="PLANE", help="(default: all)")


IP_SHOW: Final = Command(
    ("ip", "show"),
    "count addresses of planes: used, free, static, cooling; of one by node",
    run_show,
    PLACE_OPTIONS,
    _arguments,
    task=Task.ADDRESSES,
    example="netplane ip show business",
)
