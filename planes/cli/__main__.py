"""The command line of `netplane`: each subcommand is one entry of `COMMANDS`.

Exit status: 0 done, 1 refused or failed, 2 a wrong command line, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from types import FrameType
from typing import Any, Final, NoReturn, TextIO

from planes.cli.command import OUTPUT, Command, Context, UsageError
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
from planes.cli.plan.commands import PLAN_CHECK, PLAN_DIFF, PLAN_EXPORT, PLAN_IMPORT
from planes.cli.pods import POD_ADD, POD_LIST, POD_RM
from planes.cli.status.command import STATUS
from planes.model.errors import BadInput, PlanesError
from planes.run.settings import Parser, add_arguments, resolve

COMMANDS: Final[tuple[Command, ...]] = (
    *(POD_ADD, POD_RM, POD_LIST),
    *(IP_SHOW, IP_WHO, IP_FREE, IP_CHECK, IP_RELEASE),
    *(PLAN_CHECK, PLAN_IMPORT, PLAN_EXPORT, PLAN_DIFF),
    EXPLAIN,
    DUMP,
    MIGRATE_CHECK,
    STATUS,
    MAP,
    DOCTOR,
    DEMO,
)

OPTIONS: Final = (OUTPUT, *(option for command in COMMANDS for option in command.options))
"""The options of all commands."""

_GROUPS: Final = {
    "ip": "addresses of planes",
    "plan": "network plans as planes, and back",
    "migrate": "from Multus to Netplane",
    "pod": "pods of standalone mode",
}


def main(argv: Sequence[str], env: Mapping[str, str], stdout: TextIO, stderr: TextIO) -> int:
    """Carry out one command and return the exit status."""
    try:
        with redirect_stdout(stdout), redirect_stderr(stderr):
            given = _parser().parse_args(list(argv))
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
        return 130
    except BrokenPipeError:  # `netplane pod list | head`
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="netplane", description="Network planes on this machine.")
    top = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    groups: dict[str, Any] = {}
    for command in COMMANDS:
        place: Any = top
        for word in command.words[:-1]:
            if word not in groups:
                group = top.add_parser(word, help=_GROUPS.get(word, ""))
                groups[word] = group.add_subparsers(required=True, metavar="COMMAND")
            place = groups[word]
        sub = place.add_parser(command.words[-1], help=command.help, description=command.help)
        add_arguments(sub, (*command.options, OUTPUT))
        command.add_arguments(sub)
        sub.set_defaults(command=command)
    return parser


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def run() -> NoReturn:
    """Run the program: the entry point `netplane`."""
    # Both raise, so that what was begun is undone. A shell that starts this program in the
    # background, or with `nohup`, may have it ignore SIGINT: only SIGKILL would end it then.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    sys.exit(main(sys.argv[1:], os.environ, sys.stdout, sys.stderr))


if __name__ == "__main__":
    run()
