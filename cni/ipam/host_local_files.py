"""The directory of a host-local network: one file per address, shared with the reference plugin.

Same lock, names and contents, so that each may release what the other reserved. The contents are
cached, and valid while the directory's time of change is the same. Files of other attachments are
never changed. Everything here blocks: call it in a thread.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from cni.ipam.network_directory import open_directory, unusable
from cni.ipam.network_lock import LOCK, NetworkLock
from cni.ipam.ranges import as_address
from planes.model.addresses import IPAddress
from planes.model.errors import PlanesError

_LINE_BREAK = "\r\n"
_LAST = "last_reserved_ip."
# Two changes within one tick of an older kernel's clock leave one time stamp (at most 10 ms).
_TICK_NS = 20_000_000
_LONGEST_OWNER = 128 << 10  # container ID and interface name; the shim passes on 64 KiB
_MOST_NETWORKS = 256
# For files that others may have made: a link leads elsewhere, opening a FIFO waits.
_UNTRUSTED = os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(slots=True)
class _Index:
    """The cache of a network: owners by address, and the last reserved address by range set.

    Each reservation makes a file, so both are valid as long as the directory has not changed.
    """

    changed_ns: int = -1
    owners: dict[str, str] = field(default_factory=dict)
    last: dict[int, IPAddress] = field(default_factory=dict)
    lock: NetworkLock = field(default_factory=NetworkLock)


class HostLocalFiles:
    """The directories of all networks, each below a data directory."""

    def __init__(self) -> None:
        self._indexes: dict[str, _Index] = {}
        self._guard = threading.Lock()

    @contextmanager
    def locked(self, path: str) -> Iterator[NetworkFiles]:
        """Hold the lock of a network inside the block.

        Args:
            path: of its directory, which is made where missing.

        Raises:
            PlanesError: the directory cannot be made, read or written, or stays locked.
        """
        try:
            directory = open_directory(path)
            try:
                index = self._index(path)
                lock = index.lock.take(directory, path)
                try:
                    files = NetworkFiles(directory, index)
                    yield files
                    files.remember()
                finally:
                    index.lock.drop(lock)
            finally:
                os.close(directory)
        except PlanesError:
            raise
        except (OSError, ValueError) as error:
            raise unusable(path, error) from error

    def _index(self, path: str) -> _Index:
        """Return the cache of a network; of too many the oldest is dropped."""
        with self._guard:
            index = self._indexes.pop(path, None) or _Index()
            self._indexes[path] = index
            if len(self._indexes) > _MOST_NETWORKS:
                del self._indexes[next(iter(self._indexes))]
            return index


class NetworkFiles:
    """The directory of one network, by descriptor, while its lock is held."""

    def __init__(self, directory: int, index: _Index) -> None:
        self._directory = directory
        self._index = index
        self._refresh()

    def reserve(self, owner: str, address: IPAddress, set_index: int) -> bool:
        """Reserve an address; False where it is reserved already."""
        if not self.restore(owner, address):
            return False
        name = str(address)
        try:
            self._set_last(name, set_index)
        except OSError:
            self._index.last.pop(set_index, None)
            self._unlink(name, owner)
            raise
        self._index.last[set_index] = address
        return True

    def restore(self, owner: str, address: IPAddress) -> bool:
        """Make the missing file of a reservation; False where there is one by now."""
        name = str(address)
        if name in self._index.owners or not self._create(name, owner):
            return False
        self._index.owners[name] = owner
        return True

    def owner_of(self, address: IPAddress) -> str:
        """Return the content of an address's file: container ID and mostly interface."""
        return self._read(str(address)).strip()

    def _set_last(self, name: str, set_index: int) -> None:
        # Not O_TRUNC: ext4 then flushes the file at its close, which costs as much as the rest.
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | _UNTRUSTED
        fd = os.open(f"{_LAST}{set_index}", flags, 0o600, dir_fd=self._directory)
        try:
            os.ftruncate(fd, os.write(fd, name.encode()))
        finally:
            os.close(fd)

    def owned_by(self, container_id: str, ifname: str) -> tuple[IPAddress, ...]:
        """Return an attachment's addresses; files of the oldest format name the container only."""
        owners = {owner_text(container_id, ifname), container_id}
        names = [name for name, owner in self._index.owners.items() if owner in owners]
        return tuple(address for name in names if (address := as_address(name)) is not None)

    def of_container(self, container_id: str) -> tuple[tuple[IPAddress, str], ...]:
        """Return the addresses of a sandbox, each with the content of its file."""
        return tuple(
            (address, owner)
            for name, owner in self._index.owners.items()
            if owner.partition("\n")[0].strip() == container_id
            and (address := as_address(name)) is not None
        )

    def all(self) -> tuple[tuple[IPAddress, str], ...]:
        """Return all addresses, each with the content of its file."""
        return tuple(
            (address, owner)
            for name, owner in self._index.owners.items()
            if (address := as_address(name)) is not None
        )

    def last_reserved(self, set_index: int) -> IPAddress | None:
        """Return the address of a range set that was reserved last."""
        known = self._index.last.get(set_index)
        if known is None:
            text = self._read(f"{_LAST}{set_index}")
            known = as_address(text) if text else None
            if known is not None:
                self._index.last[set_index] = known
        return known

    def release(self, container_id: str, ifname: str) -> bool:
        """Remove the files of an attachment; those of the oldest format where none is newer."""
        return self._remove(owner_text(container_id, ifname)) or self._remove(container_id)

    def remove(self, address: IPAddress, owner: str) -> None:
        """Remove one reservation of `owner`."""
        self._unlink(str(address), owner)

    def remember(self) -> None:
        """Keep the cache valid after our own changes, made under the lock."""
        self._index.changed_ns = os.fstat(self._directory).st_mtime_ns

    def _remove(self, owner: str) -> bool:
        names = [name for name, found in self._index.owners.items() if found == owner]
        removed = [name for name in names if self._unlink(name, owner)]
        return bool(removed)

    def _unlink(self, name: str, owner: str) -> bool:
        # Read again: the cache may be old, and the file of another owner must stay.
        is_ours = self._read(name).strip() == owner
        if is_ours:
            try:
                os.unlink(name, dir_fd=self._directory)
            except FileNotFoundError:
                is_ours = False
        self._index.owners.pop(name, None)
        if not is_ours and (text := self._read(name)):
            self._index.owners[name] = text.strip()
        return is_ours

    def _refresh(self) -> None:
        changed_ns = os.fstat(self._directory).st_mtime_ns
        index = self._index
        if changed_ns == index.changed_ns and time.time_ns() - changed_ns > _TICK_NS:
            return
        if changed_ns != index.changed_ns:
            index.owners = {}
            index.last = {}
        names = set(os.listdir(self._directory))
        gone = index.owners.keys() - names
        new = [name for name in names - index.owners.keys() if _is_address(name)]
        for name in gone:
            del index.owners[name]
        for name in new:
            index.owners[name] = self._read(name).strip()
        if gone or new:
            index.last = {}
        index.changed_ns = changed_ns

    def _read(self, name: str) -> str:
        try:
            flags = os.O_RDONLY | os.O_CLOEXEC | _UNTRUSTED
            fd = os.open(name, flags, dir_fd=self._directory)
        except OSError:
            return ""
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return ""
            return os.read(fd, _LONGEST_OWNER).decode("utf-8", "replace")
        except OSError:
            return ""
        finally:
            os.close(fd)

    def _create(self, name: str, owner: str) -> bool:
        """Make the file with its content in one step, so that a kill leaves no empty file."""
        try:
            flags = os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC
            fd = os.open(".", flags, 0o600, dir_fd=self._directory)
        except OSError as error:
            if error.errno not in {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT}:
                raise
            return _create_plainly(self._directory, name, owner)
        try:
            os.write(fd, owner.encode())
            # With a directory descriptor Python calls linkat(2), which can follow the /proc link.
            os.link(
                f"/proc/self/fd/{fd}",
                name,
                src_dir_fd=fd,
                dst_dir_fd=self._directory,
                follow_symlinks=True,
            )
        except FileExistsError:
            return False
        finally:
            os.close(fd)
        return True


def _is_address(name: str) -> bool:
    """Report whether a file of the directory is an address's; the usual others are told first."""
    return name != LOCK and not name.startswith(_LAST) and as_address(name) is not None


def owner_text(container_id: str, ifname: str) -> str:
    """Return the content of an attachment's file: container ID, CR LF, interface."""
    return f"{container_id.strip()}{_LINE_BREAK}{ifname}"


def _create_plainly(directory: int, name: str, owner: str) -> bool:
    try:
        flags = os.O_RDWR | os.O_EXCL | os.O_CREAT | os.O_CLOEXEC
        fd = os.open(name, flags, 0o600, dir_fd=directory)
    except FileExistsError:
        return False
    try:
        os.write(fd, owner.encode())
    except OSError:
        os.unlink(name, dir_fd=directory)
        raise
    finally:
        os.close(fd)
    return True
