"""`netplane dump`: write an archive for a bug report, of a cluster or of one machine.

What cannot be read, for a right is missing or a bound is reached, is left out and noted in the
archive's MANIFEST.txt; the exit status is 0 all the same.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from planes.cli.command import MANIFESTS, Command, Context, Task
from planes.cli.reading.place import (
    CONTEXT,
    PLACE_OPTIONS,
    REQUEST_TIMEOUT,
    at_cluster,
    at_place,
)
from planes.model.names import shown
from planes.run.clock import Clock, SystemClock, rfc3339
from planes.run.settings import Option
from planes.run.values import whole

if TYPE_CHECKING:
    from planes.cli.dump.archive import Archive
    from planes.cli.dump.collector import Collector
    from planes.kube.api import LogApi

_MIB: Final = 1 << 20


def _mib(text: str) -> int:
    return whole(text, 1, 4096)


MAX_SIZE: Final = Option(
    "--max-size", "64", "MiB of all files in the archive, before compression", _mib, metavar="MIB"
)


def run_dump(context: Context) -> int:
    """Write the archive."""
    from planes.cli.dump.archive import new_archive  # noqa: PLC0415
    from planes.cli.dump.collector import Collector  # noqa: PLC0415

    console, clock = context.console, SystemClock()
    target = Path(context.given.file or _file_name(clock))
    limit = context.settings[MAX_SIZE.key] * _MIB
    seconds = float(context.settings[REQUEST_TIMEOUT.key])
    with new_archive(target, limit=limit, replaces=context.given.force) as archive:
        collector = Collector(archive, seconds, limit // 4)
        with console.progress("reading what a bug report needs"):
            title = _read(context, collector, seconds)
        _finish(archive, collector, title, clock)
    for name, why in sorted(set(collector.notes)):
        console.warn(f"{name}: {why}")
    names = [one.name for one in archive.members]
    file = shown(str(target), 4096)[1:-1]
    console.line(f"{file}: {len(names)} files; see its MANIFEST.txt")
    left = [{"file": name, "why": why} for name, why in sorted(set(collector.notes))]
    console.document({"file": file, "files": names, "leftOut": left})
    return 0


def _read(context: Context, collector: Collector, seconds: float) -> str:
    """Read everything into the archive; return what it is a dump of."""
    if context.settings[MANIFESTS.key]:
        from planes.cli.dump.machine import dump_machine  # noqa: PLC0415

        return at_place(context, lambda place: dump_machine(place, collector))

    async def work(api: LogApi, clock: Clock) -> None:
        from planes.cli.dump.cluster import ClusterDump  # noqa: PLC0415

        await ClusterDump(api, clock, collector, seconds).run()

    at_cluster(context, work, waits=True)  # each answer has its own deadline
    name = context.settings[CONTEXT.key]
    return f"the cluster of context {name}" if name else "the cluster of the current context"


def _finish(archive: Archive, collector: Collector, title: str, clock: Clock) -> None:
    from planes.cli.dump.manifest_text import NAME, manifest_lines  # noqa: PLC0415

    facts, made = tuple(archive.members), rfc3339(clock.now())
    with archive.member(NAME, 4 * _MIB, is_last=True) as member:
        for line in manifest_lines(title, made, facts, collector.notes):
            member.line(line.encode(errors="replace"))


def _file_name(clock: Clock) -> str:
    return f"netplane-dump-{re.sub(r'[-:]', '', rfc3339(clock.now()))}.tar.gz"


def _dump_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        *("-f", "--file"),
        default="",
        metavar="FILE",
        help="the archive to write (default: netplane-dump-TIME.tar.gz in this directory)",
    )
    parser.add_argument("--force", action="store_true", help="replace a file of that name")


DUMP: Final = Command(
    ("dump",),
    "write an archive for a bug report: objects, events, logs; no secrets",
    run_dump,
    (*PLACE_OPTIONS, MAX_SIZE),
    _dump_arguments,
    task=Task.DIAGNOSIS,
    example="netplane dump -f bug.tar.gz",
)
