"""A process that claims and releases addresses of a shared directory, for the race tests.

`python -m tests.store.claimer DIR NAME COUNT [keep]` claims COUNT addresses one after the other,
prints each and, without `keep`, gives every other one back. It runs until killed with COUNT 0.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path

from planes.run.clock import SystemClock
from planes.store.address_book import LocalAddressBook
from planes.store.protocol import AddressOwner
from tests.support.planes import make_plane

PLANE = make_plane(
    subnets=[{"cidr": "10.9.0.0/24", "gateway": "10.9.0.1"}, {"cidr": "fd00:9::/64"}]
)


async def main(directory: Path, name: str, count: int, *, is_keeping: bool) -> None:
    """Claim and print."""
    book = LocalAddressBook(directory, SystemClock())
    for number in range(count) if count else itertools.count():
        owner = AddressOwner(f"{name}-{number}", "net1", "ns", f"{name}-{number}", node=name)
        for address in await book.claim(PLANE, owner):
            sys.stdout.write(f"{address.address}\n")
            sys.stdout.flush()
        if not is_keeping and (number % 2 or not count):
            await book.release("business", owner.container_id, "net1")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    asyncio.run(
        main(Path(arguments[0]), arguments[1], int(arguments[2]), is_keeping="keep" in arguments)
    )
