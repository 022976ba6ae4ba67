"""Running the host's packet filter tools in the namespace of the calling worker thread.

A child inherits the namespace of the thread that starts it, so this works for any host namespace.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from cni import rooted
from planes.model.errors import NotFound, Unavailable

_SEARCH = "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin"
_TIMEOUT_SECONDS = 30.0  # other users of the xtables lock can hold it for seconds


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a tool left: exit status, output, and what it complained of, in one line."""

    status: int
    output: str
    complaint: str


@dataclass(frozen=True, slots=True)
class Tools:
    """The host's tools.

    Attributes:
        root: the directory they are looked up in and run with as root; "" is ours.
    """

    root: str = ""

    def execute(self, argv: Sequence[str], text: str = "") -> Outcome:
        """Run a tool with text on its standard input; blocks.

        Raises:
            NotFound: the tool is not installed.
            Unavailable: it does not end in time.
        """
        try:
            done = subprocess.run(
                rooted.command(self.root, [self._find(argv[0]), *argv[1:]]),
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
        fault = rooted.could_not_start(self.root, done.returncode, done.stderr.encode())
        if fault:
            raise NotFound(f"cannot run {argv[0]}: {fault}")
        return Outcome(done.returncode, done.stdout, _complaint(done.stderr))

    def _find(self, name: str) -> str:
        # A search path of ours says nothing about another root.
        search = _SEARCH if self.root else f"{os.environ.get('PATH', '')}:{_SEARCH}"
        for directory in search.split(":"):
            path = f"{directory}/{name}"
            try:
                if directory and rooted.is_file(self.root, path):
                    return path
            except OSError:
                continue
        raise NotFound(f"cannot run {name}: it is not installed on this node")


def _complaint(stderr: str) -> str:
    """Give the first line, and the next where the first only announces it, as iptables does."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return " ".join(lines[: 2 if lines and lines[0].endswith(":") else 1])
