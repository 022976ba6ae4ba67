"""One plane's addresses as files of a directory that processes share.

An attachment's record is one file, linked once as `owner-<digest>` and once per address it
holds: an address belongs to the record whose inode it shares. Files of the directory change only
under its lock (flock, which the kernel drops when a process dies).
Invariant: linked means held. Whatever instant a process is killed at, `release` of the same
attachment finds what was linked, and nobody else can link that address before.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from planes.model.addresses import IPAddress
from planes.model.errors import Unavailable
from planes.store.addressrecord import (
    COOLING,
    FIELDS,
    address_of,
    cool,
    owner_in,
    owner_name,
    read_record,
)
from planes.store.files import file_name, read_regular, remove, sync_directory, temporary
from planes.store.protocol import AddressOwner

LOCK_SECONDS: Final = 10.0

_SMALL: Final = 64  # a moment, or an address
_WIDEST: Final = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")


@dataclass(frozen=True, slots=True)
class Listing:
    """The directory at one moment: addresses that are held, and those that cool down."""

    held: frozenset[IPAddress]
    cooling: frozenset[IPAddress]


class AddressFiles:
    """The directory of one plane; but for `lock` and `holders`, methods expect the lock held."""

    def __init__(self, directory: Path, *, lock_seconds: float = LOCK_SECONDS) -> None:
        self._directory = directory
        self._lock_seconds = lock_seconds

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory alone among all processes; made on first use.

        Raises:
            Unavailable: the directory cannot be used, or another process keeps it.
        """
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(
                self._directory / ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600
            )
        except OSError as error:
            raise Unavailable(
                f"cannot use the address directory {self._directory}: {error.strerror}",
                remedy="run as root or choose another state directory",
            ) from error
        try:
            self._wait_for(handle)
            yield
        except OSError as error:
            raise Unavailable(
                f"cannot write addresses in {self._directory}: {error.strerror}",
                remedy="look at free space and permissions of that directory",
            ) from error
        finally:
            os.close(handle)

    def _wait_for(self, handle: int) -> None:
        deadline = time.monotonic() + self._lock_seconds
        pause = 0.0002
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Unavailable(
                        f"cannot lock the address directory {self._directory}: another process "
                        f"has kept it for {self._lock_seconds:.0f} s",
                        remedy=f"find it with `fuser {self._directory}/.lock`",
                    ) from None
                time.sleep(pause)
                pause = min(pause * 1.5, 0.005)
            else:
                return

    def held_by(self, container_id: str, interface: str) -> tuple[IPAddress, ...]:
        """Give what an attachment holds, in the order it was taken."""
        path = self._owner_path(container_id, interface)
        inode = _inode(path)
        if inode is None:
            return ()
        record = read_record(path)
        texts = record.get("addresses")
        if not isinstance(texts, list):  # torn by a power cut: the links still tell
            entries = os.scandir(self._directory)
            with entries:
                texts = sorted(entry.name for entry in entries if entry.inode() == inode)
        known = [address for text in texts if (address := address_of(str(text))) is not None]
        return tuple(a for a in known if _inode(self._directory / str(a)) == inode)

    def is_held(self, address: IPAddress) -> bool:
        """Tell whether anybody holds it."""
        return os.path.lexists(self._directory / str(address))

    def cooling_seconds(self, address: IPAddress, now: float, cooldown_seconds: float) -> float:
        """How long it must still rest after its last holder; 0 when it may be taken."""
        try:
            until = float(read_regular(self._directory / f"{COOLING}{address}", _SMALL))
        except (OSError, ValueError):
            return 0.0
        left = until - now
        # More than the plane asks for means that the clock was set back or the plane changed.
        return left if 0 < left <= cooldown_seconds else 0.0

    def owner_of(self, address: IPAddress) -> AddressOwner | None:
        """Give who holds an address; an owner without names where the record is torn."""
        path = self._directory / str(address)
        if not os.path.lexists(path):
            return None
        return owner_in(read_record(path))

    def take(
        self, owner: AddressOwner, addresses: Sequence[IPAddress], cooldown_seconds: float
    ) -> None:
        """Record that the owner holds free addresses; durable when it returns."""
        record = {
            "containerID": owner.container_id,
            **{name: getattr(owner, name) for name in FIELDS},
            "addresses": [str(address) for address in addresses],
            "cooldownSeconds": cooldown_seconds,
        }
        fresh = temporary(self._directory, orjson.dumps(record))
        try:
            # The record first: from then on `release` finds whatever is linked after it.
            os.link(fresh, self._owner_path(owner.container_id, owner.interface))
            for address in addresses:
                os.link(fresh, self._directory / str(address))
                remove(self._directory / f"{COOLING}{address}")
        finally:
            with suppress(OSError):
                fresh.unlink()
        sync_directory(self._directory)

    def release(self, container_id: str, interface: str, now: float) -> tuple[IPAddress, ...]:
        """Give back what an attachment holds; tells what that was."""
        path = self._owner_path(container_id, interface)
        if not os.path.lexists(path):
            return ()
        held = self.held_by(container_id, interface)
        cooldown = read_record(path).get("cooldownSeconds")
        for address in held:
            cool(self._directory, str(address), cooldown, now)
            remove(self._directory / str(address))
        remove(path)
        sync_directory(self._directory)
        return held

    def listing(self) -> Listing:
        """Read the whole directory, and remove what processes that died left half-made."""
        held: set[IPAddress] = set()
        cooling: set[IPAddress] = set()
        with os.scandir(self._directory) as entries:
            for entry in entries:
                if entry.name.startswith(".tmp-"):  # only made under the lock, which is ours now
                    remove(Path(entry.path))
                address = address_of(entry.name.removeprefix(COOLING))
                if address is not None:
                    (cooling if entry.name.startswith(COOLING) else held).add(address)
        return Listing(frozenset(held), frozenset(cooling))

    def forget_cooled(self, now: float) -> None:
        """Remove the marks of addresses that have rested: in IPv6 nobody may come by again."""
        for address in self.listing().cooling:
            if not self.cooling_seconds(address, now, float("inf")):
                remove(self._directory / f"{COOLING}{address}")

    def last(self, version: int) -> IPAddress | None:
        """Give the address handed out last in a family: the next one follows it."""
        try:
            text = read_regular(self._directory / f".last-{version}", _SMALL).decode("ascii")
            return address_of(text.strip())
        except (OSError, UnicodeDecodeError):
            return None

    def set_last(self, address: IPAddress) -> None:
        """Note the address handed out last; losing the note costs nothing but the order."""
        path = self._directory / f".last-{address.version}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        handle = os.open(path, flags, 0o600)
        try:  # in place and always as long: a torn one does not parse, and costs a search
            os.write(handle, f"{address!s:<{_WIDEST}}\n".encode())
        finally:
            os.close(handle)

    def holders(self) -> Mapping[IPAddress, AddressOwner]:
        """Give who holds what; needs no lock."""
        try:
            names = os.listdir(self._directory)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise Unavailable(
                f"cannot read the address directory {self._directory}: {error.strerror}"
            ) from error
        found = {}
        for name in names:
            address = address_of(name)
            owner = self.owner_of(address) if address is not None else None
            if address is not None and owner is not None:
                found[address] = owner
        return found

    def _owner_path(self, container_id: str, interface: str) -> Path:
        return self._directory / owner_name(container_id, interface)


def plane_directory(root: Path, plane: str) -> Path:
    """Give the directory that holds a plane's addresses."""
    return root / file_name(plane)


def _inode(path: Path) -> int | None:
    try:
        return path.lstat().st_ino
    except FileNotFoundError:
        return None
