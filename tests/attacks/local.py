"""An ordinary user of a node, who reaches the daemon's metrics port on its loopback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.node.daemon import Place

PORT = 9465
NOBODY = 65534
_READY_SECONDS = 20.0


@contextmanager
def attackers(place: Place, names: Sequence[str]) -> Iterator[None]:
    """Attack the metrics port of a node, as nobody; begins when the connections are there."""
    command = [
        *("ip", "netns", "exec", place.host.name, "setpriv", "--reuid", str(NOBODY)),
        *("--regid", str(NOBODY), "--clear-groups", sys.executable, "-m"),
        *("tests.attacks.peers", str(PORT), *names),
    ]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    try:
        deadline = time.monotonic() + _READY_SECONDS
        while len(sockets(process.pid)) < 300:
            assert process.poll() is None, "the attackers ended"
            assert time.monotonic() < deadline, "the attackers do not get connections"
            time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait()


def sockets(pid: int) -> list[str]:
    """Return the sockets a process has open."""
    found = []
    for each in Path(f"/proc/{pid}/fd").iterdir():
        try:
            name = os.readlink(each)
        except FileNotFoundError:
            continue
        if re.match("socket:", name):
            found.append(name)
    return found
