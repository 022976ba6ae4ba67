"""A machine's daemon, as far as a world needs it: its address book over its own connection."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from planes.kube.addresses.address_book import KubeAddressBook
from planes.model.spec.plane_spec import Plane
from planes.store.protocol import AddressBook
from tests.chaos.machine import Disk, MachineClock, Process
from tests.chaos.network import Connection


@dataclass(slots=True)
class Node:
    """A machine and its daemon.

    Attributes:
        begun: containers whose ADD or DEL has not ended: the journal has them.
    """

    name: str
    state: Path
    process: Process
    link: Connection
    book: AddressBook
    begun: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the address book of a daemon is made of."""

    link: Connection
    name: str
    state: Path
    clock: MachineClock
    disk: Disk
    rng: random.Random
    plane_of: Callable[[str], Plane]


MakeBook = Callable[[Parts], AddressBook]


def real_book(parts: Parts) -> AddressBook:
    """Return the address book that daemons have on a cluster."""
    return KubeAddressBook(
        parts.link,
        parts.name,
        parts.state,
        parts.clock,
        executor=parts.disk,
        randomness=parts.rng.random,
        plane_of=parts.plane_of,
    )
