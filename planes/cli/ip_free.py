"""`netplane ip free`: free addresses of a plane, as ranges."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from planes.cli.command import Command, Context, Task
from planes.cli.console import Console
from planes.cli.reading.place import PLACE_OPTIONS, Place, at_place
from planes.model.lines import printable
from planes.run.values import whole

if TYPE_CHECKING:
    from planes.cli.addresses.free import FreeAddresses

_MOST_RANGES: Final = 100_000


def run_free(context: Context) -> int:
    """Print free ranges; return 1 where nothing is free."""
    given = context.given

    async def work(place: Place) -> FreeAddresses:
        from planes.cli.addresses.free import free_addresses  # noqa: PLC0415
        from planes.cli.addresses.named_plane import own_addresses_of  # noqa: PLC0415

        plane = await own_addresses_of(place, given.plane)
        return await free_addresses(place, plane, given.ranges, is_static=given.static)

    found = at_place(context, work)
    warnings = [
        f"pods of namespace {printable(space)} show more addresses than are read"
        for space in found.cut
    ]
    for text in warnings:
        context.console.warn(text)
    context.console.document({**found.as_json(), "warnings": warnings})
    print_free(context.console, found)
    return 0 if found.has_any else 1


def print_free(console: Console, found: FreeAddresses) -> None:
    """Print a line for each family, and one for each free reservation."""
    for one in found.families:
        if one.ranges:
            more = ", …" if one.has_more else ""
            console.line(", ".join(map(str, one.ranges)) + more)
    for address, whose in found.reserved:
        console.line(printable(f"{address}: reserved for {whose}"))
    if not found.has_any:
        kind = "static address" if found.is_static else "address"
        console.line(f"no {kind} of plane {found.plane} is free")


def _ranges(text: str) -> int:
    return whole(text, 1, _MOST_RANGES)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("plane", metavar="PLANE", help="its name")
    parser.add_argument(
        *("-n", "--ranges"),
        type=_ranges,
        default=5,
        metavar="N",
        help="ranges of each family at most (default: %(default)s)",
    )
    parser.add_argument(
        "--static", action="store_true", help="what pods may ask for, instead of what they get"
    )


IP_FREE: Final = Command(
    ("ip", "free"),
    "list free addresses of a plane as ranges; exit status 1 where none is free",
    run_free,
    PLACE_OPTIONS,
    _arguments,
    task=Task.ADDRESSES,
    example="netplane ip free business -n 5",
)
