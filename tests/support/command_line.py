"""The `netplane` command as a test types it: in this process, with streams of its own."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from planes.cli.__main__ import main


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Outcome:
    """The exit status and the output of a command."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def netplane(
    *argv: str, env: Mapping[str, str] | None = None, is_terminal: bool = False
) -> Outcome:
    """Run a command; nothing of this process's environment is seen."""
    make = Terminal if is_terminal else io.StringIO
    out, err = make(), make()
    status = main(argv, dict(env or {}), out, err)
    return Outcome(status, out.getvalue(), err.getvalue())
