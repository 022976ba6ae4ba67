"""The command line of `netplane`: each subcommand is one entry of `COMMANDS`.

Exit status: 0 done, 1 refused or failed, 2 a wrong command line, 130 interrupted, 141 where nobody
reads the output any more.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from importlib.metadata import version
from typing import Final, TextIO

from planes.cli.command import OUTPUT, Command, Context, UsageError
from planes.cli.completion.command import COMPLETION
from planes.cli.console import Console
from planes.cli.demo.command import DEMO
from planes.cli.doctor.command import DOCTOR
from planes.cli.dump.command import DUMP
from planes.cli.explain import EXPLAIN
from planes.cli.ip import IP_CHECK, IP_RELEASE
from planes.cli.ip_free import IP_FREE
from planes.cli.ip_show import IP_SHOW
from planes.cli.ip_who import IP_WHO
from planes.cli.map.command import MAP
from planes.cli.migrate.command import MIGRATE_CHECK
from planes.cli.parsing import PROGRAM, make_parser, unknown_arguments, unknown_word
from planes.cli.plan.commands import PLAN_CHECK, PLAN_DIFF, PLAN_EXPORT, PLAN_IMPORT
from planes.cli.pod_list import POD_LIST
from planes.cli.pods import POD_ADD, POD_RM
from planes.cli.start import INTERRUPTED, READER_IS_GONE, run
from planes.cli.status.command import STATUS
from planes.cli.version import VERSION
from planes.model.errors import BadInput, PlanesError
from planes.run.settings import resolve

COMMANDS: Final[tuple[Command, ...]] = (
    *(EXPLAIN, MAP),
    *(PLAN_CHECK, PLAN_IMPORT, PLAN_EXPORT, PLAN_DIFF, MIGRATE_CHECK),
    *(POD_ADD, POD_RM, POD_LIST),
    *(IP_SHOW, IP_WHO, IP_FREE, IP_CHECK, IP_RELEASE),
    *(STATUS, DOCTOR, DUMP),
    *(DEMO, VERSION, COMPLETION),
)

OPTIONS: Final = (OUTPUT, *(option for command in COMMANDS for option in command.options))
"""The options of all commands."""

_GROUPS: Final = {
    "ip": "addresses of planes",
    "plan": "network plans as planes, and back",
    "migrate": "from Multus to Netplane",
    "pod": "pods of standalone mode",
}


def main(
    argv: Sequence[str],
    env: Mapping[str, str],
    stdout: TextIO,
    stderr: TextIO,
    *,
    prog: str = PROGRAM,
) -> int:
    """Carry out one command and return the exit status."""
    try:
        with redirect_stdout(stdout), redirect_stderr(stderr):
            given = _parsed(argv, prog)
    except SystemExit as end:  # --help and mistakes are answered by argparse itself
        return int(end.code or 0)
    command: Command = given.command
    options = (*command.options, OUTPUT)
    console = Console(stdout, stderr, env)
    try:
        settings = resolve(options, vars(given), env)
    except BadInput as error:
        console.error(error)
        return 2
    console = Console(stdout, stderr, env, output=settings[OUTPUT.key])
    try:
        return command.run(Context(settings, given, env, console))
    except PlanesError as error:
        console.error(error)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        console.note("interrupted", "yellow")
        return INTERRUPTED
    except BrokenPipeError:  # `netplane pod list | head`
        return READER_IS_GONE


def parser(prog: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    return make_parser(COMMANDS, _GROUPS, version("netplane"), prog)


def _parsed(argv: Sequence[str], prog: str) -> argparse.Namespace:
    words = list(argv)
    if words[:1] == ["help"]:  # `netplane help ip` as of other programs
        words = [*words[1:], "--help"]
    made = parser(prog)
    if not words:
        made.exit(2, made.format_help())
    if said := unknown_word(words, COMMANDS, prog):
        made.exit(2, said)
    given, rest = made.parse_known_args(words)
    if rest:
        made.exit(2, unknown_arguments(given, rest))
    return given


if __name__ == "__main__":
    run()
