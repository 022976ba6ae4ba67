"""Running the host's packet filter tools in the namespace of the calling worker thread.

A child inherits the namespace of the thread that starts it, so this works for any host namespace.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from planes.model.errors import NotFound, Unavailable

_SEARCH = "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin"
_TIMEOUT_SECONDS = 30.0  # other users of the xtables lock can hold it for seconds


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a tool left: exit status, output, and what it complained of, in one line."""

    status: int
    output: str
    complaint: str


def execute(argv: Sequence[str], text: str = "") -> Outcome:
    """Run a tool with text on its standard input; blocks.

    Raises:
        NotFound: the tool is not installed.
        Unavailable: it does not end in time.
    """
    path = shutil.which(argv[0], path=f"{os.environ.get('PATH', '')}:{_SEARCH}")
    if path is None:
        raise NotFound(f"cannot run {argv[0]}: it is not installed on this node")
    try:
        done = subprocess.run(
            [path, *argv[1:]],
            input=text,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"cannot run {argv[0]}: it does not end") from error
    except OSError as error:
        raise NotFound(f"cannot run {argv[0]}: {error.strerror}") from error
    return Outcome(done.returncode, done.stdout, _complaint(done.stderr))


def _complaint(stderr: str) -> str:
    """Give the first line, and the next where the first only announces it, as iptables does."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return " ".join(lines[: 2 if lines and lines[0].endswith(":") else 1])
