"""Count the addresses of planes that are held or rest here, from the files of the address book.

The files are those of `planes.store.address_files`. They are only read, without their lock, so no
claim waits for a count. A directory is read again when it has changed, or an address in it has
rested. A count may miss a change of this moment; the next look has it.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from planes.model.spec.plane_spec import Plane
from planes.model.state.node_use import NodeUse
from planes.run.clock import Clock
from planes.run.files import read_regular
from planes.run.jobs import start
from planes.store.address_files import plane_directory
from planes.store.address_record import COOLING, address_of
from planes.store.quarantine import Quarantine

ADDRESSES: Final = "addresses"
"""The directory of the address book in a node's state directory on a cluster."""
_SMALL: Final = 64
_SETTLED_NS: Final = 1_000_000_000
"""A directory changed less than this before it was read may change in the same tick again."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What was found in one directory.

    Attributes:
        changed_ns: when the directory or its quarantine was changed; -1 where it may change
            unnoticed.
        cooldown: of the plane, in seconds.
        until: when the first address has rested; infinity where none rests.
    """

    changed_ns: int
    cooldown: float
    until: float
    use: NodeUse


class UsedAddresses:
    """Counts addresses that are held or rest.

    Args:
        root: the directory of the address book.
        clock: by which they rest.
        executor: where files are read; None = the event loop's own threads.
    """

    def __init__(self, root: Path, clock: Clock, executor: Executor | None = None) -> None:
        self._root = root
        self._clock = clock
        self._executor = executor
        self._looks: dict[str, _Look] = {}

    async def counts(self, planes: Iterable[Plane]) -> dict[str, NodeUse]:
        """Return the counts of planes, of those of which addresses are in use or rest."""
        asked, now = list(planes), self._clock.now()
        looks = await start(lambda: self._look_at(asked, now), self._executor)
        self._looks = looks
        return {name: look.use for name, look in looks.items() if any(look.use)}

    def _look_at(self, planes: Iterable[Plane], now: float) -> dict[str, _Look]:
        found = {}
        for plane in planes:
            look = self._look(plane, now)
            if look is not None:
                found[plane.name] = look
        return found

    def _look(self, plane: Plane, now: float) -> _Look | None:
        directory, before = plane_directory(self._root, plane.name), self._looks.get(plane.name)
        try:
            changed_ns = max(os.stat(directory).st_mtime_ns, Quarantine(directory).changed_ns())
            if (
                before is not None
                and (before.changed_ns, before.cooldown) == (changed_ns, plane.cooldown_seconds)
                and now < before.until
            ):
                return before
            return _read(directory, changed_ns, plane.cooldown_seconds, now)
        except FileNotFoundError:  # no address of it was handed out here
            return None
        except OSError:
            return before


def _read(directory: Path, changed_ns: int, cooldown: float, now: float) -> _Look:
    names = set(os.listdir(directory))
    held = {4: 0, 6: 0}
    ends = dict(Quarantine(directory).ends(now))
    for name in names:
        bare = name.removeprefix(COOLING)
        address = address_of(bare)
        if address is None:
            continue
        if bare == name:
            held[address.version] += 1
        elif cooldown:
            end = _end(directory / name)
            # Longer than the plane's cooldown: the clock was set back, or the plane was changed.
            if 0 < end - now <= cooldown:
                ends[address] = max(ends.get(address, end), end)
    resting = {address: end for address, end in ends.items() if str(address) not in names}
    count = Counter(address.version for address in resting)
    is_settled = time.time_ns() - changed_ns >= _SETTLED_NS
    return _Look(
        changed_ns if is_settled else -1,
        cooldown,
        min(resting.values(), default=float("inf")),
        NodeUse(held[4], count[4], held[6], count[6]),
    )


def _end(path: Path) -> float:
    try:
        return float(read_regular(path, _SMALL))
    except (OSError, ValueError):
        return 0.0
