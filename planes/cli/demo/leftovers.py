"""Removing what a killed demo left, and the guard against two demos at once.

A demo that ends by itself, by Ctrl-C or by SIGTERM cleans up. After SIGKILL the next demo finds the
folder and removes what the folder names.

Invariant: a demo that lives holds a lock on its folder. Only a folder whose lock is free is
removed: two demos may share a temporary folder, each with a network and a /run of its own.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from planes.cli.demo import namespaces
from planes.cli.sandbox import Sandbox
from planes.model.errors import Conflict, PlanesError
from planes.model.objects import Pod
from planes.store.pod_files import PodFiles

FOLDER_PREFIX: Final = "netplane-demo-"
# An abstract socket is no file and ends with its process in any case.
_GUARD: Final = "\0netplane-demo"


@contextmanager
def only_demo() -> Iterator[None]:
    """Let no second demo run on this machine during the block.

    Raises:
        Conflict: another demo runs.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as guard:
        try:
            guard.bind(_GUARD)
        except OSError as error:
            raise Conflict(
                "cannot run the demo: another one runs on this machine",
                remedy="wait for its end, or stop it with Ctrl-C",
            ) from error
        yield


def sandbox_of(pod: Pod) -> Sandbox:
    """Return the sandbox of a pod."""
    return Sandbox(pod.namespace, pod.name, pod.uid)


class DemoFolder:
    """A new folder, locked until it is removed or this process ends.

    Args:
        root: the folder to make it in.

    Attributes:
        path: the folder.

    Raises:
        OSError: no folder can be made there, or none be locked.
    """

    def __init__(self, root: Path) -> None:
        lock = None
        while lock is None:
            self.path = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=root))
            lock = lock_folder(self.path)
        self._lock = lock

    def remove(self) -> None:
        """Remove the folder and what is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def lock_folder(folder: Path) -> int | None:
    """Lock a folder that was just made; return the lock's descriptor.

    Return None where a demo that clears up was faster: it had the lock, and the folder is gone.
    """
    try:
        lock = _opened(folder)
    except FileNotFoundError:
        return None
    fcntl.flock(lock, fcntl.LOCK_EX)
    if folder.exists():
        return lock
    os.close(lock)
    return None


def _opened(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)


def clear(root: Path) -> None:
    """Remove the processes, namespaces and folders of demos that were killed."""
    clear_folders(root)
    namespaces.clear()


def clear_folders(root: Path) -> None:
    """Remove the folders in `root` of demos that were killed, with what each folder names."""
    for folder in sorted(root.glob(f"{FOLDER_PREFIX}*")):
        with suppress(OSError):
            lock = _opened(folder)
            try:
                _clear_folder(folder, lock)
            finally:
                os.close(lock)


def _clear_folder(folder: Path, lock: int) -> None:
    """Remove what a killed demo left.

    Raises:
        BlockingIOError: the demo that made the folder lives.
    """
    if os.fstat(lock).st_uid != os.geteuid():
        return  # anybody may make such a folder in /tmp, and name pods in it
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    _stop_processes(folder)
    with suppress(PlanesError, OSError):
        for pod in PodFiles(folder / "manifests").all():
            namespaces.remove_sandbox(sandbox_of(Pod.from_object(pod)).netns_name)
    shutil.rmtree(folder, ignore_errors=True)


def _stop_processes(folder: Path) -> None:
    """Kill the processes that have the folder's path on their command line."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
            if any(part.startswith(os.fsencode(folder) + b"/") for part in arguments):
                os.kill(int(entry.name), signal.SIGKILL)
