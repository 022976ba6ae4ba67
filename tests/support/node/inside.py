"""Work inside a network namespace by a thread of this process, without a program.

In the second kernel of `make vm` a program costs a hundred times what a request to the kernel does.
Invariant: the namespace of the calling thread stays what it is.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from cni.net import namespaces

T = TypeVar("T")

_BIND = 0x1000  # MS_BIND, linux/mount.h
_DETACH = 2  # MNT_DETACH, linux/fs.h


def inside(path: str, job: Callable[[], T]) -> T:
    """Return what a job returns that is done in the namespace at a path; its error is raised."""
    netns = namespaces.open_netns(path)

    def enter_and_work() -> T:
        namespaces.enter(netns)
        return job()

    try:
        return _in_thread(enter_and_work)
    finally:
        os.close(netns)


def make_namespace(path: str) -> None:
    """Make a namespace with a file, as `ip netns add` does."""

    def make() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        _succeeds(libc.unshare(namespaces.CLONE_NEWNET))
        _succeeds(libc.mount(b"/proc/thread-self/ns/net", os.fsencode(path), None, _BIND, None))

    Path(path).touch(mode=0, exist_ok=False)
    try:
        _in_thread(make)
    except OSError:
        Path(path).unlink()
        raise


def remove_namespace(path: str) -> None:
    """Remove the file; the namespace ends with what is in it."""
    _succeeds(ctypes.CDLL(None, use_errno=True).umount2(os.fsencode(path), _DETACH))
    Path(path).unlink()


def _succeeds(status: int) -> None:
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _in_thread(job: Callable[[], T]) -> T:
    made: list[T] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            made.append(job())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return made[0]
