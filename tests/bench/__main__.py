"""`python -m tests.bench`: run the benchmarks, show the table, write JSON.

The exit status is 0 also if a goal is missed: a timing is not an assertion. All namespaces and
folders are its own and are removed at the end, also after Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from tests.bench import addresses, many_blocks, memory, plugins, pods, reviews, shim, store_load
from tests.bench.table import Row, SkippedError, as_json, render

Bench = Callable[[Path, float, Callable[[str], None]], Iterable[Row]]

BENCHES: Mapping[str, Bench] = {
    "shim": shim.bench,
    "plugins": plugins.bench,
    "pods": pods.bench,
    "reviews": reviews.bench,
    "memory": memory.bench,
    "store": store_load.bench,
    "addresses": addresses.bench,
    "blocks": many_blocks.bench,
}


def main(argv: Sequence[str]) -> int:
    """Run what is asked for; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("bench", nargs="*", metavar="BENCH", help=f"of {', '.join(BENCHES)}; all")
    parser.add_argument("--output", type=Path, help="write the numbers there as JSON")
    parser.add_argument("--scale", type=float, default=1.0, help="repetitions, 1 is the default")
    given = parser.parse_args(argv)
    unknown = set(given.bench) - set(BENCHES)
    if unknown or not 0 < given.scale <= 100:
        parser.error(f"no such bench or scale: {', '.join(sorted(unknown)) or given.scale}")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    begin = time.monotonic()
    rows: dict[str, list[Row]] = {}
    try:
        for name in given.bench or BENCHES:
            rows[name] = _run(name, given.scale)
    except KeyboardInterrupt:
        sys.stderr.write("\nbench: stopped; everything it made is removed\n")
        return 130
    seconds = time.monotonic() - begin
    sys.stdout.write(render([row for found in rows.values() for row in found]) + "\n")
    sys.stdout.write(f"\n{os.cpu_count()} CPUs, Linux {platform.release()}, {seconds:.0f} s\n")
    if given.output is not None:
        given.output.parent.mkdir(parents=True, exist_ok=True)
        given.output.write_text(json.dumps(_document(rows, seconds), indent=2) + "\n")
    return 0


def _run(name: str, scale: float) -> list[Row]:
    """Run one benchmark in a folder of its own; if it cannot run, the row is the reason."""
    is_terminal = sys.stderr.isatty()
    found: list[Row] = []

    def say(text: str) -> None:
        if is_terminal:
            sys.stderr.write(f"\r\x1b[Kbench {name}: {text}")
            sys.stderr.flush()

    if not is_terminal:
        sys.stderr.write(f"bench {name} …\n")
    folder = Path(tempfile.mkdtemp(prefix="np-b-"))
    try:
        for row in BENCHES[name](folder, scale, say):
            found.append(row)  # noqa: PERF402 - what was measured before a skip is kept
    except SkippedError as skipped:
        found.append(Row(name, skipped=str(skipped)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if is_terminal:
            sys.stderr.write("\r\x1b[K")
    return found


def _document(rows: Mapping[str, Sequence[Row]], seconds: float) -> dict[str, object]:
    return {
        "machine": {
            "cpus": os.cpu_count(),
            "kernel": platform.release(),
            "python": platform.python_version(),
            "load": os.getloadavg()[0],
        },
        "seconds": round(seconds, 1),
        "benches": {name: [as_json(row) for row in found] for name, found in rows.items()},
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
