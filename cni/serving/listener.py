"""The daemon's unix socket: bound by one daemon at a time, for root alone.

Invariant: a socket on which somebody answers is never taken away, and only our own is unlinked.
The socket is 0600 from the moment it exists, and whoever connects is checked again by uid. What is
waited for is nothing that an ordinary user can hold: the directory may be one that all can read.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from planes.model.errors import BadInput, CniCode, Unavailable

_BACKLOG: Final = 1024  # more than a node's pods: a burst of calls waits here, not in the shim
_PATH_BYTES: Final = 107  # sun_path less the final zero byte
_UCRED: Final = struct.Struct("3i")  # pid, uid, gid
_LOCK_SECONDS: Final = 5.0  # who has it binds a socket, which takes no time
_TRY_SECONDS: Final = 0.02


def lock_of(path: Path) -> Path:
    """Give the file that is locked while the socket is bound."""
    return path.with_name(f"{path.name}.lock")


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound, listening socket and the file that stands for it."""

    socket: socket.socket
    path: Path
    inode: int

    def withdraw(self) -> None:
        """Unlink the file, so that nobody connects any more; another daemon's is left alone."""
        try:
            if os.lstat(self.path).st_ino == self.inode:
                self.path.unlink()
        except FileNotFoundError:
            pass


def listen(path: Path) -> Listener:
    """Bind the socket, in a directory of its own for root alone where there is none yet.

    Raises:
        BadInput: the path is too long for a unix socket.
        Unavailable: somebody answers there, something else is there, or the system refuses.
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
    """Give the uid of the process at the other end (SO_PEERCRED, unix(7))."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    uid: int = _UCRED.unpack(credentials)[1]
    return uid


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    # Two daemons that start at once must not both find a stale socket and unlink each other's.
    # Not the directory itself: whoever may read it may lock it, and keep us from starting.
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(lock_of(path), flags, 0o600)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise OSError(errno.EBUSY, "another process keeps its lock") from None
            time.sleep(_TRY_SECONDS)
        else:
            return


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
