"""Worlds whose address books are wrong on purpose: what is found of them, as JSON.

usage: python -m tests.chaos.sabotaged BOOK
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from cni.ipam.complete_records import CompleteRecords
from planes.model.spec.plane_spec import Plane
from planes.store.address_book import LocalAddressBook
from planes.store.protocol import AddressBook, Held
from tests.chaos.daemon import MakeBook, Parts, real_book
from tests.chaos.play import play
from tests.chaos.shrink import shrunk
from tests.chaos.worlds import prepared

_SECONDS: Final = 15.0


async def _nothing_lost(_plane: Plane) -> None:
    """The records of these worlds are never lost."""


class Forgetful(CompleteRecords):
    """Releases nothing for every 16th attachment."""

    def __init__(self, book: AddressBook) -> None:
        super().__init__(book, _nothing_lost)
        self._book = book
        self._releases = 0

    async def release(self, plane: str, container_id: str, interface: str) -> None:
        self._releases += 1
        if self._releases % 16:
            await super().release(plane, container_id, interface)

    async def held_by_others(self, _known: Collection[tuple[str, str]]) -> tuple[Held, ...]:
        return ()

    async def run(self) -> None:
        await self._book.run()  # type: ignore[attr-defined]


def _lonely(parts: Parts) -> AddressBook:
    """Each node uses the whole plane."""
    return LocalAddressBook(parts.state, parts.clock, parts.disk)


BOOKS: Final[Mapping[str, MakeBook]] = {
    "lonely": _lonely,
    "forgetful": lambda parts: Forgetful(real_book(parts)),
    "real": real_book,
}


def main(name: str) -> None:
    """Play one world with the books of a name, and shrink it."""
    hook, make = prepared(), BOOKS[name]
    first = play(7, hook, steps=range(400), make_book=make, is_traced=True)
    again = play(7, hook, steps=range(400), make_book=make, is_traced=True)
    steps: Sequence[int] = range(400)
    outcome = first
    if first.failure:
        steps, outcome = shrunk(
            first, lambda few: play(7, hook, steps=few, make_book=make), _SECONDS
        )
    found = {
        "failure": outcome.failure,
        "steps": len(steps),
        "is_same": first == again,
        "allocations": first.allocations,
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
