"""Which mutations of the address protocol survive; `make mutants`.

usage: python -m tests.chaos.mutants [--play ALLOCATIONS] [WORD ...]

Runs the tests of each mutation whose name has all the words, in a copy of the sources. With
`--play` the worlds of `make chaos` are played instead: many mutations break no promise that the
nodes and the leader make together, as another rule still holds. Exit code 1: one survived.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.chaos.mutations import MUTATIONS, Mutation

_ROOT: Final = Path(__file__).parents[2]
_COPIED: Final = ("planes", "webhook", "cni", "certs", "tests", "pyproject.toml")
_TESTED: Final = (sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider")
_SECONDS: Final = 1200


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.mutants", description=__doc__)
    parser.add_argument("--play", type=int, default=0, metavar="ALLOCATIONS")
    parser.add_argument("words", nargs="*")
    given = parser.parse_args(arguments)
    chosen = [each for each in MUTATIONS if all(word in each.name for word in given.words)]
    survived = 0
    with tempfile.TemporaryDirectory(prefix="np-mutants-") as folder:
        copy = Path(folder)
        _copy(copy)
        for each in chosen:
            begun = time.monotonic()
            killer = _killer(copy, each, given.play)
            survived += not killer
            verdict = f"killed by {killer}" if killer else "SURVIVED"
            sys.stdout.write(f"{each.name}: {verdict} ({time.monotonic() - begun:.0f} s)\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(chosen) - survived} of {len(chosen)} mutations killed\n")
    return 1 if survived else 0


def mutated(mutation: Mutation, text: str) -> str:
    """Return the text of a file with a mutation.

    Raises:
        ValueError: the line that it changes is not there exactly once.
    """
    if text.count(mutation.old) != 1:
        raise ValueError(f"{mutation.path} has {text.count(mutation.old)} times: {mutation.old}")
    return text.replace(mutation.old, mutation.new)


def _copy(folder: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    for name in _COPIED:
        if (_ROOT / name).is_dir():
            shutil.copytree(_ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy2(_ROOT / name, folder / name)


def _killer(folder: Path, mutation: Mutation, allocations: int) -> str:
    """Return what fails with a mutation; "" where nothing does."""
    path = folder / mutation.path
    text = path.read_text()
    path.write_text(mutated(mutation, text))
    try:
        return _played(folder, allocations) if allocations else _tested(folder, mutation)
    finally:
        path.write_text(text)


def _tested(folder: Path, mutation: Mutation) -> str:
    for test in mutation.tests:
        done = _run(folder, (*_TESTED, test))
        if done.returncode == 1:
            failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
            return failed[0].split(" - ")[0].removeprefix("FAILED ") if failed else test
        if done.returncode:
            raise RuntimeError(f"cannot run {test}: {done.stdout}{done.stderr}")
    return ""


def _played(folder: Path, allocations: int) -> str:
    options = ("--seed", "1", "--allocations", str(allocations))
    done = _run(folder, (sys.executable, "-m", "tests.chaos", *options))
    failed = [line for line in done.stdout.splitlines() if line.startswith("seed ")]
    return failed[0] if failed else ""


def _run(folder: Path, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    # No .pyc: a changed file may have the size and the second of the one before.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
