"""Network namespaces by path: open, check, enter.

Entering changes the calling thread only. Nothing here may run in the event loop's thread.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from collections.abc import Callable

from cni.net.errors import MissingNetns, kernel_error
from planes.model.errors import BadInput, CniCode

CLONE_NEWNET = 0x40000000
_NS_GET_NSTYPE = 0xB703  # linux/nsfs.h
# These say nothing about the path, and not that there is no sandbox.
_SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR, errno.EIO})
_REMEDY = "pass a bind mount of a network namespace, as `ip netns add` makes it"


def _find_setns() -> Callable[[int, int], None]:
    if hasattr(os, "setns"):
        found: Callable[[int, int], None] = os.setns
        return found
    call = ctypes.CDLL(None, use_errno=True).setns

    def setns(fd: int, kind: int) -> None:
        if call(fd, kind) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    return setns


_setns = _find_setns()


def open_netns(path: str) -> int:
    """Open a namespace file; the caller closes the descriptor.

    Raises:
        MissingNetns: nothing is there (code 8).
        BadInput: it is no network namespace (code 8).
        PlanesError: this process has no descriptor or memory left.
    """
    try:
        # O_NONBLOCK: a FIFO at that path must not hang a worker.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingNetns(
            f"cannot open network namespace {path}: it does not exist", remedy=_REMEDY
        ) from error
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in _SHORTAGES:
            raise kernel_error(error.errno, f"open network namespace {path}") from error
        cause = getattr(error, "strerror", None) or "it is no path"
        raise BadInput(
            f"cannot open network namespace {path!r}: {cause}",
            remedy=_REMEDY,
            code=CniCode.BAD_NETNS,
        ) from error
    try:
        kind = fcntl.ioctl(fd, _NS_GET_NSTYPE)
    except OSError as error:
        os.close(fd)
        raise BadInput(
            f"cannot open network namespace {path}: it is no namespace file",
            remedy=_REMEDY,
            code=CniCode.BAD_NETNS,
        ) from error
    if kind != CLONE_NEWNET:
        os.close(fd)
        raise BadInput(
            f"cannot open network namespace {path}: it is a namespace of another kind",
            remedy=_REMEDY,
            code=CniCode.BAD_NETNS,
        )
    return fd


def enter(fd: int) -> None:
    """Move the calling thread into the namespace.

    Raises:
        PlanesError: not permitted, or the descriptor is no network namespace.
    """
    try:
        _setns(fd, CLONE_NEWNET)
    except OSError as error:
        raise kernel_error(
            error.errno or errno.EINVAL, "enter the network namespace of the sandbox"
        ) from error
