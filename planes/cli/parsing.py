"""The argument parser made from the table of commands, and what it says of words it does not know.

Invariant: help, completion scripts and man pages are made from this one parser.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from planes.cli.command import OUTPUT, Command, Task
from planes.model.names import shown
from planes.model.near_names import did_you_mean, nearest_name
from planes.run.settings import Parser, add_arguments

PROGRAM: Final = "netplane"
"""As everybody types it; found as a plugin of kubectl it is `kubectl netplane`."""

_ABOUT: Final = "Network planes of a Kubernetes cluster, and of one machine."
_FLAG: Final = re.compile(r"(?<![\w-])--?[a-zA-Z][\w-]*")


class _TopParser(Parser):
    """A parser whose help lists the commands by task, each with all of its words."""

    listing: str = ""

    def format_help(self) -> str:
        """Return the help."""
        return self.listing


def make_parser(
    commands: Sequence[Command], groups: Mapping[str, str], version: str, prog: str = PROGRAM
) -> argparse.ArgumentParser:
    """Return the parser; the namespace it fills has `command`, and its `command_parser`.

    Args:
        commands: the table.
        groups: what is said of each first word that several commands share.
        version: what `--version` prints.
        prog: how the program was called.
    """
    parser = _TopParser(prog=prog, description=_ABOUT)
    parser.listing = _listing(commands, prog)
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {version}")
    top = parser.add_subparsers(
        title="commands", required=True, metavar="COMMAND", parser_class=Parser
    )
    places: dict[str, Any] = {}
    for command in commands:
        place: Any = top
        for word in command.words[:-1]:
            if word not in places:
                text = groups.get(word, "")
                group = top.add_parser(word, help=text, description=text)
                places[word] = group.add_subparsers(required=True, metavar="COMMAND")
            place = places[word]
        sub = place.add_parser(
            command.words[-1],
            help=command.help,
            description=command.help,
            epilog=_example(command, prog),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        add_arguments(sub, (*command.options, OUTPUT))
        command.add_arguments(sub)
        sub.set_defaults(command=command, command_parser=sub)
    return parser


def unknown_word(argv: Sequence[str], commands: Iterable[Command], prog: str = PROGRAM) -> str:
    """Return what is to be said of the first word that is of no command, "" where there is none."""
    known = {command.words for command in commands}
    place: tuple[str, ...] = ()
    for word in argv:
        here = len(place)
        nexts = {words[here] for words in known if len(words) > here and words[:here] == place}
        if word.startswith("-") or not nexts:  # options, or what a whole command is about
            return ""
        if word not in nexts:
            near = _near_command(word, place, known)
            said = f"there is no command {shown(' '.join((*place, word)))}"
            remedy = did_you_mean(near and f"{prog} {near}", f"see {prog} --help")
            return f"{prog}: {said}; {remedy}\n"
        place = (*place, word)
    return ""


def unknown_arguments(given: argparse.Namespace, rest: Sequence[str]) -> str:
    """Return what is to be said of arguments that a command does not take."""
    sub: argparse.ArgumentParser = given.command_parser
    wrong = rest[0].partition("=")[0]
    near = ""
    if wrong.startswith("--"):
        flags = {flag for flag in _FLAG.findall(sub.format_usage()) if flag.startswith("--")}
        near = nearest_name(wrong[:64], flags)
    remedy = did_you_mean(near, f"see {sub.prog} --help")
    return f"{sub.prog}: unrecognized arguments: {shown(' '.join(rest))[1:-1]}; {remedy}\n"


def _near_command(word: str, place: tuple[str, ...], known: Iterable[tuple[str, ...]]) -> str:
    """Return the words of the command that is meant: a near word here, else one anywhere."""
    here = len(place)
    nexts = {words[here] for words in known if len(words) > here and words[:here] == place}
    if near := nearest_name(word[:64], sorted(nexts)):
        return " ".join((*place, near))
    lasts = {words[-1]: " ".join(words) for words in sorted(known, reverse=True)}
    return lasts.get(nearest_name(word[:64], sorted(lasts)), "")


def _example(command: Command, prog: str) -> str:
    if not command.example:
        return ""
    lines = (line.replace(f"{PROGRAM} ", f"{prog} ", 1) for line in command.example.splitlines())
    return "\n".join(("example:", *(f"  {line}" for line in lines)))


def _listing(commands: Sequence[Command], prog: str) -> str:
    names = {command: " ".join(command.words) for command in commands}
    width = max(map(len, names.values()), default=0)
    lines = [f"usage: {prog} COMMAND [options]", "", _ABOUT]
    for task in Task:
        found = [command for command in commands if command.task is task]
        if found:
            lines += ["", f"{task}:"]
            lines += [f"  {names[each].ljust(width)}  {each.help}" for each in found]
    lines += [
        "",
        f"{prog} COMMAND --help shows the options of a command, and an example.",
        f"{prog} --version prints the version.",
        "Most commands read a cluster by its kubeconfig, or one machine by --manifests DIR.",
    ]
    return "\n".join(lines) + "\n"
