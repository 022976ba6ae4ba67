"""One plane's addresses as files of a directory that processes share.

An attachment's record is one file with hard links: `owner-<digest>`, and one per address it holds,
such as `10.20.0.7`. An address belongs to the record whose inode it shares. Files of the directory
change only under its lock (flock, which the kernel drops when a process ends).
Invariant: linked means held. Whenever a process is killed, `release` of the same attachment finds
what was linked, and no other attachment can link that address before.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from planes.model.addresses import IPAddress
from planes.model.errors import Unavailable
from planes.run.backoff import Backoff
from planes.run.file_lock import open_lock, wait_for_lock
from planes.run.files import file_name, read_regular, remove, sync_directory, sync_file, temporary
from planes.store.address_record import (
    COOLING,
    FIELDS,
    address_of,
    cool,
    owner_in,
    owner_name,
    read_record,
)
from planes.store.protocol import AddressOwner
from planes.store.quarantine import Quarantine

LOCK_SECONDS: Final = 10.0

_SMALL: Final = 64  # a moment, or an address
_WIDEST: Final = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")


@dataclass(frozen=True, slots=True)
class Listing:
    """The directory at one moment: held addresses, and those that cool down."""

    held: frozenset[IPAddress]
    cooling: frozenset[IPAddress]


class AddressFiles:
    """The directory of one plane; all methods but `lock` and `holders` need the lock held.

    Attributes:
        quarantine: the addresses that somebody on the wire answered for.
    """

    def __init__(self, directory: Path, *, lock_seconds: float = LOCK_SECONDS) -> None:
        self._directory = directory
        self._prefix = f"{directory}/"
        self._lock_seconds = lock_seconds
        self.quarantine = Quarantine(directory)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory's lock inside the block; the directory is made on first use.

        Raises:
            Unavailable: the directory cannot be used, or another process keeps the lock.
        """
        try:
            handle = self._open_lock()
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

    def _open_lock(self) -> int:
        path = self._at(".lock")
        try:
            return open_lock(path)
        except FileNotFoundError:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            return open_lock(path)

    def _wait_for(self, handle: int) -> None:
        try:
            wait_for_lock(handle, self._lock_seconds, Backoff(0.0002, 0.005, factor=1.5))
        except BlockingIOError:
            raise Unavailable(
                f"cannot lock the address directory {self._directory}: another process "
                f"has kept it for {self._lock_seconds:.0f} s",
                remedy=f"find it with `fuser {self._directory}/.lock`",
            ) from None

    def held_by(self, container_id: str, interface: str) -> tuple[IPAddress, ...]:
        """Return what an attachment holds, in the order it was taken."""
        path = self._owner_path(container_id, interface)
        inode = _inode(path)
        if inode is None:
            return ()
        record = read_record(path)
        texts = record.get("addresses")
        if not isinstance(texts, list):  # torn by a power cut: the links are still there
            entries = os.scandir(self._directory)
            with entries:
                texts = sorted(entry.name for entry in entries if entry.inode() == inode)
        known = [address for text in texts if (address := address_of(str(text))) is not None]
        return tuple(a for a in known if _inode(self._at(a)) == inode)

    def is_held(self, address: IPAddress) -> bool:
        """Report whether an attachment holds it."""
        return os.path.lexists(self._at(address))

    def cooling_seconds(self, address: IPAddress, now: float, cooldown_seconds: float) -> float:
        """Return the seconds that it still cools down after its release; 0 when it may be taken."""
        try:
            until = float(read_regular(self._at(f"{COOLING}{address}"), _SMALL))
        except (OSError, ValueError):
            return 0.0
        left = until - now
        # More than the plane's cooldown: the clock was set back, or the plane was changed.
        return left if 0 < left <= cooldown_seconds else 0.0

    def owner_of(self, address: IPAddress) -> AddressOwner | None:
        """Return the holder of an address; without names where the record is torn."""
        path = self._at(address)
        if not os.path.lexists(path):
            return None
        return owner_in(read_record(path))

    def take(
        self, owner: AddressOwner, addresses: Sequence[IPAddress], cooldown_seconds: float
    ) -> None:
        """Record that an owner holds addresses, which are free; durable when it returns.

        One wait for the disk: a file's sync writes out its names, too, on ext4, XFS, Btrfs and
        F2FS. On a file system that kept the record and lost a name, a power cut would free the
        address of a sandbox that has ended with it.
        """
        record = {
            "containerID": owner.container_id,
            **{name: getattr(owner, name) for name in FIELDS},
            "addresses": [str(address) for address in addresses],
            "cooldownSeconds": cooldown_seconds,
        }
        fresh = temporary(self._directory, orjson.dumps(record), is_durable=False)
        owned = self._owner_path(owner.container_id, owner.interface)
        try:
            # The record first: from then on `release` finds every link that is made after it.
            os.link(fresh, owned)
            for address in addresses:
                os.link(fresh, self._at(address))
                remove(self._at(f"{COOLING}{address}"))
        finally:
            with suppress(OSError):
                os.unlink(fresh)
        sync_file(owned)

    def release(self, container_id: str, interface: str, now: float) -> tuple[IPAddress, ...]:
        """Release the addresses of an attachment; return them."""
        path = self._owner_path(container_id, interface)
        if not os.path.lexists(path):
            return ()
        held = self.held_by(container_id, interface)
        cooldown = read_record(path).get("cooldownSeconds")
        for address in held:
            cool(self._directory, str(address), cooldown, now)
            remove(self._at(address))
        remove(path)
        sync_directory(self._directory)
        return held

    def listing(self) -> Listing:
        """Read the whole directory, and remove what killed processes left of unfinished writes."""
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

    def used(self, now: float, *, counts_quarantined: bool = True) -> frozenset[IPAddress]:
        """Return the addresses that are held or cool down, and those in quarantine if wanted."""
        listing = self.listing()
        cools = (a for a in listing.cooling if self.cooling_seconds(a, now, float("inf")))
        used = listing.held.union(cools)
        return used.union(self.quarantine.resting(now)) if counts_quarantined else used

    def forget_cooled(self, now: float) -> None:
        """Remove the marks of addresses that have cooled down: in IPv6 none may come again."""
        for address in self.listing().cooling:
            if not self.cooling_seconds(address, now, float("inf")):
                remove(self._at(f"{COOLING}{address}"))

    def last(self, version: int) -> IPAddress | None:
        """Return the address assigned last in a family, which the next one follows."""
        try:
            text = read_regular(self._at(f".last-{version}"), _SMALL).decode("ascii")
            return address_of(text.strip())
        except (OSError, UnicodeDecodeError):
            return None

    def set_last(self, address: IPAddress) -> None:
        """Record the address assigned last; a lost record costs nothing but the order."""
        path = self._at(f".last-{address.version}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        handle = os.open(path, flags, 0o600)
        try:  # in place and of fixed length: a torn one does not parse, and costs a search
            os.write(handle, f"{address!s:<{_WIDEST}}\n".encode())
        finally:
            os.close(handle)

    def holders(self) -> Mapping[IPAddress, AddressOwner]:
        """Return the holders of all addresses; needs no lock."""
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

    def resting(self, now: float, cooldown_seconds: float) -> frozenset[IPAddress]:
        """Return the addresses that cool down or are in quarantine; needs no lock."""
        try:
            names = os.listdir(self._directory)
        except OSError:  # none was handed out, or holders() tells why not
            return frozenset()
        cooling = (address_of(n.removeprefix(COOLING)) for n in names if n.startswith(COOLING))
        rest = {a for a in cooling if a and self.cooling_seconds(a, now, cooldown_seconds)}
        return frozenset(rest.union(self.quarantine.resting(now)))

    def _owner_path(self, container_id: str, interface: str) -> str:
        return self._at(owner_name(container_id, interface))

    def _at(self, name: object) -> str:
        return f"{self._prefix}{name}"


def plane_directory(root: Path, plane: str) -> Path:
    """Return the directory that holds a plane's addresses."""
    return root / file_name(plane)


def _inode(path: str) -> int | None:
    try:
        return os.lstat(path).st_ino
    except FileNotFoundError:
        return None
