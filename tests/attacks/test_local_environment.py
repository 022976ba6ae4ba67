"""A user's process whose environment blocks every reader: the daemon does not wait for it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cni.host.previous_run import kill_previous
from tests.attacks.local import NOBODY
from tests.support.node.daemon import ROOT
from tests.support.node.node import eventually

OWNER = "np-t-environment"
SLEEPER = [sys.executable, "-c", "import time; time.sleep(300)"]


@contextmanager
def _waiting(directory: Path) -> Iterator[int]:
    """Start a process of user nobody whose environment cannot be read."""
    program = [sys.executable, "-m", "tests.attacks.waiting_environment"]
    with subprocess.Popen(
        [*program, str(directory), str(NOBODY)], stdout=subprocess.PIPE, cwd=ROOT
    ) as server:
        try:
            assert server.stdout is not None
            told = server.stdout.readline()
            if not told:
                pytest.skip("there is no FUSE for us")
            yield int(told)
        finally:
            server.kill()
            subprocess.run(["umount", "-l", str(directory)], check=False)


def _can_be_read(pid: int) -> bool:
    done = threading.Event()

    def read() -> None:
        Path(f"/proc/{pid}/environ").read_bytes()
        done.set()

    threading.Thread(target=read, daemon=True).start()
    return done.wait(0.5)


def _has_mark(pid: int) -> bool:
    """Report whether a program's environment can be seen: a moment after Popen returns."""
    return b"NETPLANE_EXEC" in Path(f"/proc/{pid}/environ").read_bytes()


@pytest.mark.kernel
def test_local_user_whose_environment_cannot_be_read_keeps_no_plugin_running(
    tmp_path: Path,
) -> None:
    """What an earlier run of the daemon left running is found without asking any user."""
    with _waiting(tmp_path) as user:
        eventually(lambda: not _can_be_read(user))
        with subprocess.Popen(SLEEPER, env={"NETPLANE_EXEC": f"{OWNER}.1.1"}) as plugin:
            try:
                eventually(lambda: _has_mark(plugin.pid))
                assert kill_previous(OWNER) == 1
                assert plugin.wait(5) == -9
            finally:
                plugin.kill()
