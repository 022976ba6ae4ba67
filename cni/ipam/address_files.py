"""The directory of a host-local network: one file per address, shared with the reference plugin.

Same lock, names and contents, so that either may release what the other reserved. Contents are
remembered between operations and believed while the directory's time of change says so; files of
others are never touched. Everything here blocks: call it in a thread.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from cni.ipam.ranges import as_address
from planes.model.addresses import IPAddress
from planes.model.errors import Internal, PlanesError, Unavailable

_LINE_BREAK = "\r\n"
_LAST = "last_reserved_ip."
_LOCK = "lock"
# Two changes within one tick of an older kernel's clock leave one time stamp (at most 10 ms).
_TICK_NS = 20_000_000
_LONGEST_OWNER = 128 << 10  # container ID and interface name; the shim passes on 64 KiB
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(slots=True)
class _Index:
    changed_ns: int = -1
    owners: dict[str, str] = field(default_factory=dict)


class AddressFiles:
    """The directories of all networks below one data directory after another."""

    def __init__(self) -> None:
        self._indexes: dict[str, _Index] = {}

    @contextmanager
    def locked(self, data_dir: str, network: str) -> Iterator[NetworkFiles]:
        """Hold the lock of a network; makes the directory where it is missing.

        Raises:
            PlanesError: the directory cannot be made, read or written.
        """
        path = os.path.join(data_dir, network)
        with _translated(path):
            fd = _open_lock(path)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX)
                files = NetworkFiles(path, self._indexes.setdefault(path, _Index()))
                yield files
                files.remember()
            finally:
                os.close(fd)


class NetworkFiles:
    """One network's directory while its lock is held."""

    def __init__(self, path: str, index: _Index) -> None:
        self._path = path
        self._index = index
        self._refresh()

    def reserve(self, owner: str, address: IPAddress, set_index: int) -> bool:
        """Take an address; False where somebody has it."""
        name = str(address)
        if name in self._index.owners or not self._create(name, owner):
            return False
        self._index.owners[name] = owner
        last = os.path.join(self._path, f"{_LAST}{set_index}")
        # Not O_TRUNC: ext4 then flushes the file at its close, which costs as much as the rest.
        fd = os.open(last, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(fd, os.write(fd, name.encode()))
        finally:
            os.close(fd)
        return True

    def owned_by(self, container_id: str, ifname: str) -> tuple[IPAddress, ...]:
        """Addresses of an attachment; files of the oldest format name the container only."""
        mine = {owner_text(container_id, ifname), container_id}
        names = [name for name, owner in self._index.owners.items() if owner in mine]
        return tuple(address for name in names if (address := as_address(name)) is not None)

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
        self._index.changed_ns = os.stat(self._path).st_mtime_ns

    def _remove(self, owner: str) -> bool:
        names = [name for name, found in self._index.owners.items() if found == owner]
        removed = [name for name in names if self._unlink(name, owner)]
        return bool(removed)

    def _unlink(self, name: str, owner: str) -> bool:
        # Read again: the index may be behind, and a file of somebody else must stay.
        is_ours = self._read(name).strip() == owner
        if is_ours:
            try:
                os.unlink(os.path.join(self._path, name))
            except FileNotFoundError:
                is_ours = False
        self._index.owners.pop(name, None)
        if not is_ours and (text := self._read(name)):
            self._index.owners[name] = text.strip()
        return is_ours

    def _refresh(self) -> None:
        changed_ns = os.stat(self._path).st_mtime_ns
        index = self._index
        if changed_ns == index.changed_ns and time.time_ns() - changed_ns > _TICK_NS:
            return
        names = {name for name in os.listdir(self._path) if _is_address(name)}
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
            fd = os.open(os.path.join(self._path, name), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return ""
        try:
            return os.read(fd, _LONGEST_OWNER).decode("utf-8", "replace")
        except OSError:
            return ""
        finally:
            os.close(fd)

    def _create(self, name: str, owner: str) -> bool:
        """Make the file with its content in one step: a kill in between leaves no empty file."""
        target = os.path.join(self._path, name)
        try:
            fd = os.open(self._path, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        except OSError as error:
            if error.errno not in {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT}:
                raise
            return _create_plainly(target, owner)
        try:
            os.write(fd, owner.encode())
            # With a directory descriptor Python calls linkat(2), which can follow the /proc link.
            os.link(f"/proc/self/fd/{fd}", target, src_dir_fd=fd, follow_symlinks=True)
        except FileExistsError:
            return False
        finally:
            os.close(fd)
        return True


def owner_text(container_id: str, ifname: str) -> str:
    """What a file of an attachment contains."""
    return f"{container_id.strip()}{_LINE_BREAK}{ifname}"


def _create_plainly(target: str, owner: str) -> bool:
    try:
        fd = os.open(target, os.O_RDWR | os.O_EXCL | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return False
    try:
        os.write(fd, owner.encode())
    except OSError:
        os.unlink(target)
        raise
    finally:
        os.close(fd)
    return True


def _is_address(name: str) -> bool:
    return name != _LOCK and not name.startswith(_LAST)


def _open_lock(path: str) -> int:
    lock = os.path.join(path, _LOCK)
    flags = os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(lock, flags, 0o750)
    except FileNotFoundError:
        os.makedirs(path, mode=0o755, exist_ok=True)
        return os.open(lock, flags, 0o750)


@contextmanager
def _translated(path: str) -> Iterator[None]:
    try:
        yield
    except PlanesError:
        raise
    except OSError as error:
        fault = Unavailable if error.errno in _FULL else Internal
        raise fault(f"cannot keep addresses in {path}: {error.strerror}") from error
