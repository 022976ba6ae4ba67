"""`netplane ip who`: who has an address, in each plane that contains it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from planes.cli.command import Command, Context, Task, UsageError
from planes.cli.console import Console
from planes.cli.reading.place import PLACE_OPTIONS, Place, at_place
from planes.model.addresses import IPAddress, parse_address
from planes.model.errors import BadInput
from planes.model.lines import printable

if TYPE_CHECKING:
    from planes.cli.addresses.who import AddressAnswer

_HEADER: Final = ("PLANE", "POD", "UID", "NODE", "SINCE", "PROOF", "CLAIM", "RESERVED-FOR")
_COLUMNS: Final = 7


def run_who(context: Context) -> int:
    """Print who has an address; return 1 where nobody has it."""
    given = context.given
    try:
        address = parse_address(given.address)
    except BadInput as error:
        raise UsageError(error.message, remedy=error.remedy) from error

    async def work(place: Place) -> list[AddressAnswer]:
        from planes.cli.addresses.named_plane import plane_named  # noqa: PLC0415
        from planes.cli.addresses.who import look_for  # noqa: PLC0415

        name = (await plane_named(place, given.plane)).name if given.plane else ""
        return await look_for(place, address, name)

    found = at_place(context, work)
    is_held = any(answer.uses for answer in found)
    context.console.document(
        {
            "address": str(address),
            "held": is_held,
            "planes": [answer.as_json() for answer in found],
        }
    )
    print_answers(context.console, address, found, plane=given.plane)
    return 0 if is_held else 1


def print_answers(
    console: Console, address: IPAddress, found: Sequence[AddressAnswer], *, plane: str = ""
) -> None:
    """Print a table of who has the address, and a line for each plane in which nobody has it."""
    rows = [row for answer in found for row in _rows(answer)]
    if rows:
        console.table(_HEADER, rows, wide=_COLUMNS)
    for answer in found:
        if not answer.uses:
            console.line(printable(f"plane {answer.plane}: {address} is {answer.text}"))
    if not found:
        console.line(f"{address} is outside of {f'plane {plane}' if plane else 'every plane'}")


def _rows(answer: AddressAnswer) -> Iterator[tuple[str, ...]]:
    for use in answer.uses:
        cells = (answer.plane, use.pod, use.uid, use.node, use.since, str(use.proof), use.claim)
        yield tuple(printable(cell) or "-" for cell in (*cells, answer.reserved))


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("address", metavar="ADDRESS", help="IPv4 or IPv6, without prefix length")
    parser.add_argument("--plane", default="", metavar="NAME", help="in this plane (default: all)")


IP_WHO: Final = Command(
    ("ip", "who"),
    "say who has an address; exit status 1 where nobody has it",
    run_who,
    PLACE_OPTIONS,
    _arguments,
    task=Task.ADDRESSES,
    example="netplane ip who 192.168.10.7",
)
