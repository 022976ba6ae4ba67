"""The daemon's unix socket: bound by one daemon at a time, for root alone.

Invariant: a socket that another daemon serves is never unlinked, and at the end only our own is.
The socket has mode 0600 from the moment it exists, and each peer's uid is checked again. Binding
waits for no lock that an ordinary user could hold: the directory may be readable to all.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from planes.model.errors import BadInput, CniCode, Unavailable
from planes.run.backoff import Backoff
from planes.run.file_lock import open_lock, wait_for_lock

_BACKLOG: Final = 1024  # more than a node's pods: a burst of calls queues here, not in the shim
_PATH_BYTES: Final = 107  # sun_path less the final zero byte
_UCRED: Final = struct.Struct("3i")  # pid, uid, gid
_LOCK_SECONDS: Final = 5.0  # its holder binds a socket, which takes no time
_PAUSE: Final = 0.02


def lock_of(path: Path) -> Path:
    """Return the file that is locked while the socket is bound."""
    return path.with_name(f"{path.name}.lock")


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound, listening socket and its file."""

    socket: socket.socket
    path: Path
    inode: int

    def withdraw(self) -> None:
        """Unlink the file, so that no client connects any more; never another daemon's file."""
        try:
            if os.lstat(self.path).st_ino == self.inode:
                self.path.unlink()
        except FileNotFoundError:
            pass


def listen(path: Path) -> Listener:
    """Bind the socket; make its directory with mode 0700 where there is none.

    Raises:
        BadInput: the path is too long for a unix socket.
        Unavailable: another daemon serves it, it is no socket, or the system refuses.
    """
    if len(os.fsencode(path)) > _PATH_BYTES:
        raise BadInput(
            f"cannot listen on {path}: its path is longer than {_PATH_BYTES} bytes",
            remedy="choose a shorter --socket",
        )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(path):
            _remove_stale(path)
            return _bind(path)
    except OSError as error:
        raise Unavailable(
            f"cannot listen on {path}: {error.strerror or error}",
            remedy="run as root, or choose another --socket",
            code=CniCode.INTERNAL,
        ) from error


def peer_uid(connection: socket.socket) -> int:
    """Return the uid of the process at the other end (SO_PEERCRED, unix(7))."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    uid: int = _UCRED.unpack(credentials)[1]
    return uid


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    # Two daemons that start at once must not both find a stale socket and unlink each other's.
    # Not the directory itself: any user who may read it could lock it, and we would not start.
    handle = open_lock(lock_of(path))
    try:
        _wait(handle)
        yield
    finally:
        os.close(handle)


def _wait(handle: int) -> None:
    try:
        wait_for_lock(handle, _LOCK_SECONDS, Backoff(_PAUSE, _PAUSE))
    except BlockingIOError:
        raise OSError(errno.EBUSY, "another process keeps its lock") from None


def _remove_stale(path: Path) -> None:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(errno.EEXIST, "something that is no socket is there")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        cause = probe.connect_ex(os.fspath(path))
    if cause != errno.ECONNREFUSED:
        raise FileExistsError(errno.EADDRINUSE, "another daemon serves it")
    path.unlink()


def _bind(path: Path) -> Listener:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        # unix(7): bind takes the mode from the socket, so no umask of the whole process is touched
        os.fchmod(bound.fileno(), 0o600)
        bound.bind(os.fspath(path))
        bound.listen(_BACKLOG)
    except BaseException:
        bound.close()
        raise
    return Listener(bound, path, os.lstat(path).st_ino)
