"""The `netplane` command. Every subcommand is one entry of `COMMANDS`.

Exit status: 0 done, 1 refused or failed, 2 not understood.
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
from planes.cli.demo.command import DEMO
from planes.cli.explain import EXPLAIN
from planes.cli.pods import POD_ADD, POD_LIST, POD_RM
from planes.cli.screen import Screen
from planes.model.errors import BadInput, PlanesError
from planes.run.settings import Parser, add_arguments, resolve

COMMANDS: Final[tuple[Command, ...]] = (POD_ADD, POD_RM, POD_LIST, EXPLAIN, DEMO)

_GROUPS: Final = {"pod": "pods of standalone mode"}


def main(argv: Sequence[str], env: Mapping[str, str], stdout: TextIO, stderr: TextIO) -> int:
    """Carry out one command; gives the exit status."""
    try:
        with redirect_stdout(stdout), redirect_stderr(stderr):
            given = _parser().parse_args(list(argv))
    except SystemExit as end:  # --help and mistakes are answered by argparse itself
        return int(end.code or 0)
    command: Command = given.command
    options = (*command.options, OUTPUT)
    screen = Screen(stdout, stderr, env)
    try:
        settings = resolve(options, vars(given), env)
    except BadInput as error:
        screen.fail(error)
        return 2
    screen = Screen(stdout, stderr, env, is_json=settings[OUTPUT.key] == "json")
    try:
        return command.run(Context(settings, given, env, screen))
    except PlanesError as error:
        screen.fail(error)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        screen.note("interrupted", "yellow")
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
    """Run as a program: the entry point `netplane`."""
    signal.signal(signal.SIGTERM, _interrupt)  # undo what was begun, as on Ctrl-C
    sys.exit(main(sys.argv[1:], os.environ, sys.stdout, sys.stderr))


if __name__ == "__main__":
    run()
