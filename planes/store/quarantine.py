"""Addresses of a plane that somebody on its wire answered for, as files of the plane's directory.

A file in `quarantine/` is named after its address. Until its time is over the address is not handed
out; then it may be chosen again, is probed again, and rests longer if it still answers. Invariant:
the files are bounded whatever answers, and one that is lost, or cannot be read, costs one probe.
Callers hold the lock of the directory.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from planes.model.addresses import IPAddress
from planes.model.spec.conflict_probe import (
    LONGEST_REST_SECONDS,
    MOST_QUARANTINED,
    most_quarantined,
    rest_seconds,
)
from planes.run.files import read_regular, remove, replace
from planes.store.address_record import address_of

_FOLDER: Final = "quarantine"
_LARGEST: Final = 512


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An address that answered.

    Attributes:
        mac: of who answered last.
        until: seconds since the epoch; it may be handed out from then on.
        conflicts: how often it answered in a row.
    """

    mac: str
    until: float
    conflicts: int


class Quarantine:
    """The quarantine of one plane.

    Args:
        directory: of the plane's addresses.
    """

    def __init__(self, directory: Path) -> None:
        self._folder = directory / _FOLDER

    def add(self, answered: Mapping[IPAddress, str], now: float, capacity: int) -> None:
        """Let addresses rest.

        Args:
            answered: the addresses, each with the MAC of who answered.
            now: seconds since the epoch.
            capacity: how many addresses of the plane this node can hand out.
        """
        self._folder.mkdir(mode=0o700, exist_ok=True)
        known = self.read(now)
        for address, mac in answered.items():
            before = known.pop(address, None)  # put back at the end: it is the latest
            conflicts = 1 if before is None else before.conflicts + 1
            known[address] = Quarantined(mac, now + rest_seconds(conflicts), conflicts)
            data = {"mac": mac, "until": known[address].until, "conflicts": conflicts}
            replace(self._folder / str(address), orjson.dumps(data), is_durable=False)
        resting = [address for address, one in known.items() if one.until > now]
        over = [address for address, one in known.items() if one.until <= now]
        for address in resting[: max(0, len(resting) - most_quarantined(capacity))]:
            remove(self._folder / str(address))
        for address in over[: max(0, len(over) - MOST_QUARANTINED)]:
            remove(self._folder / str(address))

    def resting(self, now: float) -> Mapping[IPAddress, float]:
        """Return the addresses that must not be handed out, each with the seconds left."""
        return {a: one.until - now for a, one in self.read(now).items() if one.until > now}

    def ends(self, now: float) -> Mapping[IPAddress, float]:
        """Return when each address that must not be handed out has rested; needs no lock."""
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return {}
        found = {address_of(name): _read(self._folder / name, now) for name in names}
        return {a: one.until for a, one in found.items() if a and one and one.until > now}

    def changed_ns(self) -> int:
        """Return when a file was added or removed last, 0 where there never was one."""
        try:
            return os.stat(self._folder).st_mtime_ns
        except FileNotFoundError:
            return 0

    def read(self, now: float) -> dict[IPAddress, Quarantined]:
        """Return all that is remembered, what answered first at the front.

        What was silent for as long as the longest rest is forgotten.
        """
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return {}
        found: list[tuple[float, IPAddress, Quarantined]] = []
        for name in names:
            address, path = address_of(name), self._folder / name
            one = _read(path, now)
            if address is None or one is None or one.until + LONGEST_REST_SECONDS < now:
                remove(path)
                continue
            found.append((one.until - rest_seconds(one.conflicts), address, one))
        found.sort(key=lambda each: each[0])
        return {address: one for _, address, one in found}


def _read(path: Path, now: float) -> Quarantined | None:
    """Read a file; None where it is torn, or says what was never written."""
    try:
        data: Any = orjson.loads(read_regular(path, _LARGEST))
        one = Quarantined(str(data["mac"]), float(data["until"]), int(data["conflicts"]))
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
    # Later than any rest: the clock was set back.
    is_possible = one.conflicts >= 1 and one.until <= now + LONGEST_REST_SECONDS
    return one if is_possible else None
