"""Run the host's packet filter tools in the namespace of the calling worker thread.

A child process inherits the namespace of the thread that starts it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from cni.host import chroot as rooted
from planes.model.errors import NotFound, Unavailable

_TIMEOUT_SECONDS = 30.0  # other users of the xtables lock can hold it for seconds


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The end of a tool: exit status, output, and its error in one line."""

    status: int
    output: str
    complaint: str


@dataclass(frozen=True, slots=True)
class Tools:
    """The host's tools.

    Attributes:
        root: their root directory, in which they are searched and run; "" is ours.
    """

    root: str = ""

    def execute(self, argv: Sequence[str], text: str = "") -> ToolResult:
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
                env={**rooted.environment(self.root, os.environ), "LC_ALL": "C"},
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"cannot run {argv[0]}: it does not end") from error
        except OSError as error:
            raise NotFound(f"cannot run {argv[0]}: {error.strerror}") from error
        fault = rooted.could_not_start(self.root, done.returncode, done.stderr.encode())
        if fault:
            raise NotFound(f"cannot run {argv[0]}: {fault}")
        return ToolResult(done.returncode, done.stdout, _complaint(done.stderr))

    def _find(self, name: str) -> str:
        for directory in rooted.search_path(self.root, os.environ.get("PATH", "")):
            path = f"{directory}/{name}"
            with suppress(OSError):
                if rooted.is_file(self.root, path):
                    return path
        raise NotFound(f"cannot run {name}: it is not installed on this node")


def _complaint(stderr: str) -> str:
    """Return the first line, and the next one where the first ends with a colon (iptables)."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return " ".join(lines[: 2 if lines and lines[0].endswith(":") else 1])
