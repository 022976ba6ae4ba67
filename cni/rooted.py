"""Running programs with another directory as their root: the node's, mounted into our container.

A plugin, or iptables, then finds its libraries, configuration and sockets where the node has them.
Invariant: a path is looked up as the program will see it: symbolic links, absolute ones too, end
inside the root. The root is entered by chroot(1), not between fork and exec of a process with
threads, where Python must not run.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from typing import Final

_MOST_LINKS: Final = 40  # as the kernel
_PROGRAM: Final = "/usr/sbin/chroot"
NOT_STARTED: Final = frozenset({125, 126, 127})
"""How chroot(1) ends where the program could not be started; it then says why."""


def command(root: str, argv: Sequence[str]) -> tuple[str, ...]:
    """Give what to execute so that `argv` runs with `root` as its root; "" changes nothing."""
    return (_PROGRAM, root, *argv) if root else tuple(argv)


def could_not_start(root: str, code: int, stderr: bytes) -> str:
    """Give why a program was not started, as chroot(1) says it; "" where it was started."""
    if not root or code not in NOT_STARTED or not stderr.startswith(f"{_PROGRAM}:".encode()):
        return ""
    return stderr.decode(errors="replace").strip().rpartition(": ")[2]


def not_entered(root: str, cause: str) -> str:
    """Give why nothing was started at all: with a root, that is chroot(1)'s own fault."""
    return f"{_PROGRAM}: {cause}" if root else cause


def is_file(root: str, path: str) -> bool:
    """Tell whether a path, as seen with `root` as root, is a regular file.

    Raises:
        OSError: it cannot be looked at.
        ValueError: it is no path.
    """
    return stat.S_ISREG(os.stat(resolve(root, path)).st_mode)


def resolve(root: str, path: str) -> str:
    """Give where a path leads with `root` as root, as this process sees it.

    Raises:
        OSError: too many symbolic links.
        ValueError: it is no path.
    """
    if not root:
        return path
    done: list[str] = []
    todo = [part for part in reversed(path.split("/")) if part]
    links = 0
    while todo:
        part = todo.pop()
        if part == ".":
            continue
        if part == "..":
            del done[-1:]
            continue
        here = "/".join([root, *done, part])
        try:
            target = os.readlink(here)
        except OSError:  # no link, or nothing there: whoever opens it is told
            done.append(part)
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), here)
        if target.startswith("/"):
            done.clear()
        todo.extend(one for one in reversed(target.split("/")) if one)
    return "/".join([root, *done])
