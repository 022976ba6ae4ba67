"""The directory of a host-local network: one file per address, shared with the reference plugin.

Same lock, names and contents, so that either may release what the other reserved. Contents are
remembered between operations and believed while the directory's time of change says so; files of
others are never touched. Everything here blocks: call it in a thread.
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

from cni.ipam.network_lock import NetworkLock
from cni.ipam.ranges import as_address
from planes.model.addresses import IPAddress
from planes.model.errors import BadInput, Internal, PlanesError, Unavailable

_LINE_BREAK = "\r\n"
_LAST = "last_reserved_ip."
# Two changes within one tick of an older kernel's clock leave one time stamp (at most 10 ms).
_TICK_NS = 20_000_000
_LONGEST_OWNER = 128 << 10  # container ID and interface name; the shim passes on 64 KiB
_MOST_NETWORKS = 256
# Files that others may have put there: a link leads elsewhere, a FIFO waits for its other end.
_UNTRUSTED = os.O_NOFOLLOW | os.O_NONBLOCK
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(slots=True)
class _Index:
    changed_ns: int = -1
    owners: dict[str, str] = field(default_factory=dict)
    lock: NetworkLock = field(default_factory=NetworkLock)


class AddressFiles:
    """The directories of all networks below one data directory after another."""

    def __init__(self) -> None:
        self._indexes: dict[str, _Index] = {}
        self._guard = threading.Lock()

    @contextmanager
    def locked(self, data_dir: str, network: str) -> Iterator[NetworkFiles]:
        """Hold the lock of a network; makes the directory where it is missing.

        Raises:
            PlanesError: the directory cannot be made, read or written, or somebody keeps it locked.
        """
        path = os.path.join(data_dir, network)
        with _translated(path):
            fd = _open_directory(path)
            try:
                index = self._index(path)
                with index.lock.held(fd, path):
                    files = NetworkFiles(fd, index)
                    yield files
                    files.remember()
            finally:
                os.close(fd)

    def _index(self, path: str) -> _Index:
        """Give what is remembered of a network; of the oldest no more, for names are for free."""
        with self._guard:
            index = self._indexes.pop(path, None) or _Index()
            self._indexes[path] = index
            if len(self._indexes) > _MOST_NETWORKS:
                del self._indexes[next(iter(self._indexes))]
            return index


class NetworkFiles:
    """One network's directory, by descriptor, while its lock is held."""

    def __init__(self, directory: int, index: _Index) -> None:
        self._directory = directory
        self._index = index
        self._refresh()

    def reserve(self, owner: str, address: IPAddress, set_index: int) -> bool:
        """Take an address; False where somebody has it."""
        name = str(address)
        if name in self._index.owners or not self._create(name, owner):
            return False
        self._index.owners[name] = owner
        try:
            self._note_last(name, set_index)
        except OSError:
            self._unlink(name, owner)
            raise
        return True

    def _note_last(self, name: str, set_index: int) -> None:
        # Not O_TRUNC: ext4 then flushes the file at its close, which costs as much as the rest.
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | _UNTRUSTED
        fd = os.open(f"{_LAST}{set_index}", flags, 0o600, dir_fd=self._directory)
        try:
            os.ftruncate(fd, os.write(fd, name.encode()))
        finally:
            os.close(fd)

    def owned_by(self, container_id: str, ifname: str) -> tuple[IPAddress, ...]:
        """Addresses of an attachment; files of the oldest format name the container only."""
        mine = {owner_text(container_id, ifname), container_id}
        names = [name for name, owner in self._index.owners.items() if owner in mine]
        return tuple(address for name in names if (address := as_address(name)) is not None)

    def of_container(self, container_id: str) -> tuple[tuple[IPAddress, str], ...]:
        """Addresses of all attachments of a sandbox, each with what its file says."""
        return tuple(
            (address, owner)
            for name, owner in self._index.owners.items()
            if owner.partition("\n")[0].strip() == container_id
            and (address := as_address(name)) is not None
        )

    def last_reserved(self, set_index: int) -> IPAddress | None:
        """The address given out last from a range set."""
        text = self._read(f"{_LAST}{set_index}")
        return as_address(text) if text else None

    def release(self, container_id: str, ifname: str) -> bool:
        """Remove what an attachment holds; in the oldest format where there is nothing newer."""
        return self._remove(owner_text(container_id, ifname)) or self._remove(container_id)

    def remove(self, address: IPAddress, owner: str) -> None:
        """Take back one reservation of `owner`."""
        self._unlink(str(address), owner)

    def remember(self) -> None:
        """Note the time of our own changes, made under the lock, as known."""
        self._index.changed_ns = os.fstat(self._directory).st_mtime_ns

    def _remove(self, owner: str) -> bool:
        names = [name for name, found in self._index.owners.items() if found == owner]
        removed = [name for name in names if self._unlink(name, owner)]
        return bool(removed)

    def _unlink(self, name: str, owner: str) -> bool:
        # Read again: the index may be behind, and a file of somebody else must stay.
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
        names = {name for name in os.listdir(self._directory) if as_address(name) is not None}
        if changed_ns != index.changed_ns:
            index.owners = {name: self._read(name).strip() for name in names}
        else:
            for name in index.owners.keys() - names:
                del index.owners[name]
            for name in names - index.owners.keys():
                index.owners[name] = self._read(name).strip()
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
        """Make the file with its content in one step: a kill in between leaves no empty file."""
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


def owner_text(container_id: str, ifname: str) -> str:
    """What a file of an attachment contains."""
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


def _open_directory(path: str) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        os.makedirs(path, mode=0o755, exist_ok=True)
        return os.open(path, flags)


@contextmanager
def _translated(path: str) -> Iterator[None]:
    try:
        yield
    except PlanesError:
        raise
    except OSError as error:
        fault = Unavailable if error.errno in _FULL else Internal
        raise fault(f"cannot keep addresses in {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise BadInput(f"cannot keep addresses in {path!r}: it is no path") from error
