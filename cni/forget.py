"""`netplane-cni pending` and `forget`: list what could not be detached, and drop one of it.

`pending` reads the journal's files. `forget` sends a request to the daemon, or where none runs does
the same under the lock of the state directory. So both are safe while the daemon runs.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TextIO

from cni.composition.command_environment import command_environment
from cni.composition.parts import compose
from cni.host.state_lock import lock_state_dir
from cni.journal.pending import SHORT_ID, Pending, age_text, read_pending
from cni.reconcile.pending_removal import text_of
from cni.serving.asking import ask_daemon
from cni.serving.server import FORGET_PATH
from cni.settings import OPTIONS, PENDING_OPTIONS, PROG, Settings, settings_from
from planes.model.encode import dumps
from planes.model.errors import Internal, JsonObject
from planes.run.logs import configure
from planes.run.settings import Option, Parser, add_arguments, resolve

_HEADER: Final = ("CONTAINER", "POD", "NETWORKS", "AGE", "ATTEMPTS", "LAST ERROR")


def pending(argv: Sequence[str], env: Mapping[str, str], stderr: TextIO) -> int:
    """List what could not be detached yet; return the exit status.

    Raises:
        SystemExit: 2 after one line about a flag; 0 after `--help`.
        PlanesError: a setting is wrong, or the journal cannot be read.
    """
    parser = Parser(
        prog=f"{PROG} pending",
        description="List what DELs left behind: each entry is tried again until it is done.",
        allow_abbrev=False,
    )
    parser.add_argument(
        *("-o", "--output"), choices=("text", "json"), default="text", help="(default: text)"
    )
    given, settings = _read(parser, PENDING_OPTIONS, argv, env)
    found, now = read_pending(Path(settings["state_dir"]) / "journal"), time.time()
    if given.output == "json":
        _print(dumps([one.to_json(now) for one in found], "the entries").decode())
    elif not found:
        _print("nothing is pending: all that was to be detached is")
    else:
        _show([_HEADER, *(_row(one, now) for one in found)])
    return 0


def forget(argv: Sequence[str], env: Mapping[str, str], stderr: TextIO) -> int:
    """Detach what can be detached of a container, drop and print the rest; return the exit status.

    Raises:
        SystemExit: 2 after one line about a flag; 0 after `--help`.
        PlanesError: there is no such container, it still runs, or the daemon cannot be reached.
    """
    parser = Parser(
        prog=f"{PROG} forget",
        description="Drop what can never be detached of a container that is gone.",
        allow_abbrev=False,
    )
    parser.add_argument("container", metavar="CONTAINER", help="its ID, or how that begins")
    parser.add_argument("--force", action="store_true", help="also where its sandbox lives")
    given, loaded = _read(parser, OPTIONS, argv, env)
    settings = settings_from({**loaded, "node": loaded["node"] or platform.node()})
    configure(settings.log_level, stderr)
    dropped = _request(settings.socket, given.container, is_forced=given.force)
    if dropped is None:
        dropped = _without_daemon(settings, env, given.container, is_forced=given.force)
    for one in dropped:
        _print(text_of(one))
    _print(f"container {given.container} is forgotten")
    return 0


def _read(
    parser: argparse.ArgumentParser,
    options: Sequence[Option],
    argv: Sequence[str],
    env: Mapping[str, str],
) -> tuple[argparse.Namespace, Mapping[str, Any]]:
    add_arguments(parser, options)
    given = parser.parse_args(list(argv))
    return given, resolve(options, vars(given), env)


def _row(one: Pending, now: float) -> tuple[str, ...]:
    return (
        one.container_id[:SHORT_ID],
        one.pod or "-",
        ",".join(one.networks),
        age_text(one.age(now)) if one.since else "-",
        str(one.attempts),
        one.error,
    )


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _show(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        _print("  ".join((*cells, row[-1])))


def _request(path: Path, container: str, *, is_forced: bool) -> list[JsonObject] | None:
    """Send the request to the daemon; return None where none listens.

    Raises:
        PlanesError: its response, or there was none.
    """
    answer = ask_daemon(
        path,
        FORGET_PATH,
        {"container": container, "force": is_forced},
        f"forget container {container}",
        remedy="netplane-cni pending says whether it is done; look at the daemon's log",
    )
    return None if answer is None else list(answer["givenUp"])


def _without_daemon(
    settings: Settings, env: Mapping[str, str], container: str, *, is_forced: bool
) -> list[JsonObject]:
    """Drop it in this process, with the lock of the state directory."""
    if not settings.state_dir.is_dir():
        raise Internal(
            f"cannot forget container {container}: there is no state directory "
            f"{settings.state_dir}",
            remedy="name the daemon's own with --state-dir",
        )
    held = lock_state_dir(settings.state_dir)
    try:
        return asyncio.run(_forget(settings, env, container, is_forced=is_forced))
    finally:
        os.close(held)


async def _forget(
    settings: Settings, env: Mapping[str, str], container: str, *, is_forced: bool
) -> list[JsonObject]:
    async with command_environment(settings, env) as environment:
        removal = compose(settings, environment).reconcile.pending_removal
        return await removal.forget_without_daemon(container, is_forced=is_forced)
