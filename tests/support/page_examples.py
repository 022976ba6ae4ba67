"""Documents whose commands are run: files and console blocks of a Markdown page."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FILE = re.compile(r"This is `([\w.-]+)`:\n\n```\w+\n(.*?)^```$", re.S | re.M)
_CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.S | re.M)

_COMMAND = re.compile(r"((?:[^\n]*\\\n)*[^\n]*)\n(.*)", re.S)


@dataclass(frozen=True, slots=True)
class Example:
    """One command of a page and what the page says that it prints, on both streams."""

    command: str
    printed: str


def files_of(page: str) -> dict[str, str]:
    """Return the files that a page shows: a block after "This is `NAME`:"."""
    return dict(_FILE.findall(page))


def examples_of(page: str) -> list[Example]:
    """Return the commands of a page's console blocks: lines that begin with `$`."""
    found = []
    for block in _CONSOLE.findall(page):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            # A command goes on in the next line after a backslash.
            command, printed = _COMMAND.fullmatch(part).groups()  # type: ignore[union-attr]
            found.append(Example(command, printed))
    return found


def run_example(command: str, folder: Path) -> str:
    """Run a command in a folder, `netplane` being this tree's; return what it prints."""
    netplane = f'netplane() {{ "{sys.executable}" -m planes.cli.__main__ "$@"; }}'
    done = subprocess.run(
        ["bash", "-c", f"{netplane}\n{command}"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(ROOT)},
        check=False,
    )
    return done.stdout
