"""Removing what a killed demo left, and the guard against two demos at once.

A demo that ends by itself, by Ctrl-C or by SIGTERM cleans up. After SIGKILL the next demo finds the
folder and removes what the folder names.
"""

from __future__ import annotations

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


def clear() -> None:
    """Remove the processes, namespaces and folders of demos that were killed."""
    for folder in sorted(Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*")):
        _stop_processes(folder)
        with suppress(PlanesError, OSError):
            for pod in PodFiles(folder / "manifests").all():
                namespaces.remove_sandbox(sandbox_of(Pod.from_object(pod)).netns_name)
        shutil.rmtree(folder, ignore_errors=True)
    namespaces.clear()


def _stop_processes(folder: Path) -> None:
    """Kill the processes that have the folder's path on their command line."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
            if any(part.startswith(os.fsencode(folder) + b"/") for part in arguments):
                os.kill(int(entry.name), signal.SIGKILL)
