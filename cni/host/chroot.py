"""Runs programs with another root directory: the node's, which is mounted into our container.

A plugin, or iptables, then finds its libraries, configuration and sockets where the node has them.
chroot(1) changes the root: Python must not run between fork and exec of a process with threads.

Invariant: a path is resolved as the program will see it; symbolic links, absolute ones too, end
below the root.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping, Sequence
from typing import Final

from planes.run.service_manager import VARIABLES

_MOST_LINKS: Final = 40  # MAXSYMLINKS of the kernel
_PROGRAM: Final = "/usr/sbin/chroot"
# Where distributions install iptables, nft and what plugins call: the PATH of root.
_USUAL: Final = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
NOT_STARTED: Final = frozenset({125, 126, 127})
"""Exit statuses of chroot(1) that could not start the program; stderr has the reason."""


def search_path(root: str, own: str) -> tuple[str, ...]:
    """Return the directories in which programs of the node are looked up, in order.

    Args:
        root: with one only the usual directories count, as `own` names directories of the image.
        own: our PATH. Without a root the usual directories follow it: a service manager may have
            set it too short.
    """
    first = [] if root else [one for one in own.split(":") if one.startswith("/")]
    return (*first, *(one for one in _USUAL if one not in first))


def environment(root: str, env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a program of the node: ours, with the node's search path.

    With a root, the image's `PYTHON…` variables are left out: a plugin may be a Python program.
    What the service manager told us is left out always: it is for this process alone.
    """
    kept = {
        key: text
        for key, text in env.items()
        if key not in VARIABLES and not (root and key.startswith("PYTHON"))
    }
    return {**kept, "PATH": ":".join(search_path(root, env.get("PATH", "")))}


def command(root: str, argv: Sequence[str]) -> tuple[str, ...]:
    """Return what to execute so that `argv` runs with `root` as its root; "" changes nothing."""
    return (_PROGRAM, root, *argv) if root else tuple(argv)


def could_not_start(root: str, code: int, stderr: bytes) -> str:
    """Return why chroot(1) could not start a program; "" where it started it."""
    if not root or code not in NOT_STARTED or not stderr.startswith(f"{_PROGRAM}:".encode()):
        return ""
    return stderr.decode(errors="replace").strip().rpartition(": ")[2]


def chroot_failed(root: str, cause: str) -> str:
    """Return why the exec itself failed: with a root, that of chroot(1)."""
    return f"{_PROGRAM}: {cause}" if root else cause


def is_file(root: str, path: str) -> bool:
    """Report whether a path, as seen with `root` as root, is a regular file.

    Raises:
        OSError: stat(2) failed.
        ValueError: it is no path.
    """
    return stat.S_ISREG(os.stat(resolve(root, path)).st_mode)


def resolve(root: str, path: str) -> str:
    """Resolve a path below `root`; return it as this process sees it.

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
        except OSError:  # no link, or no file: opening it then fails
            done.append(part)
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), here)
        if target.startswith("/"):
            done.clear()
        todo.extend(one for one in reversed(target.split("/")) if one)
    return "/".join([root, *done])
