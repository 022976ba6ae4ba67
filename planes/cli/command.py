"""A subcommand: its words, options and positionals, and the function that carries it out.

Invariant: a command works only with its `Context`. It returns an exit status and raises
`PlanesError` for every failure that a user should read.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from planes.cli.console import Console, Format
from planes.model.errors import BadInput
from planes.run.settings import Option
from planes.run.values import whole

_DAY: Final = 86400  # the shim waits no longer


class UsageError(BadInput):
    """The command line is incomplete or makes no sense: exit status 2."""


def _output(text: str) -> Format:
    known = {"text": Format.TABLE, **{one.value: one for one in Format}}  # `text`: up to 0.1.0
    if text not in known:
        raise ValueError(f"{text!r} is none of table, wide, json and yaml")
    return known[text]


MANIFESTS: Final = Option(
    "--manifests", None, "the directory of manifests that webhook and daemon watch"
)
WEBHOOK: Final = Option(
    "--webhook", "https://127.0.0.1:9443", "URL of netplane-webhook", metavar="URL"
)
CA: Final = Option(
    "--ca", None, "the ca.crt that the webhook wrote to its --cert-dir", metavar="FILE"
)
SOCKET: Final = Option(
    "--socket", "/run/netplane/cni.sock", "socket of netplane-cni", metavar="PATH"
)
STATE_DIR: Final = Option("--state-dir", "/var/lib/netplane", "state directory of netplane-cni")
NODE: Final = Option(
    "--node", None, "name of the node the pod runs on (default: the host name)", metavar="NAME"
)
SHIM: Final = Option(
    "--shim",
    None,
    "the shim (default: this checkout's build/netplane, else that of /opt/cni/bin or /usr/lib/cni)",
    metavar="PATH",
)


def _wait(text: str) -> int:
    return whole(text, 0, _DAY)


WAIT_SECONDS: Final = Option(
    "--wait-seconds", "60", "seconds to wait for netplane-cni where it is away", _wait, metavar="N"
)
OUTPUT: Final = Option(
    "--output",
    "table",
    "how results are printed",
    _output,
    metavar="table|wide|json|yaml",
    letter="-o",
)


class Task(StrEnum):
    """What a user is about; `netplane --help` lists commands under it, in this order."""

    PLANES = "planes"
    PODS = "pods"
    ADDRESSES = "addresses"
    DIAGNOSIS = "diagnosis"
    PROGRAM = "this program"


@dataclass(frozen=True, slots=True)
class Context:
    """The settings, arguments and console of one run of a command.

    Attributes:
        settings: values of the command's options, by `Option.key`.
        given: the parsed command line, for positionals.
        env: the environment.
        console: where results, progress and errors are printed.
    """

    settings: Mapping[str, Any]
    given: argparse.Namespace
    env: Mapping[str, str]
    console: Console

    def required(self, option: Option) -> str:
        """Return an option's value.

        Raises:
            UsageError: it was given neither as an option nor as a variable.
        """
        value = self.settings[option.key]
        if not value:
            raise UsageError(
                f"cannot go on without {option.flag}: it was not given",
                remedy=f"{option.help}; also as {option.variable}",
            )
        return str(value)

    def manifests_dir(self) -> Path:
        """Return the manifest directory.

        Raises:
            BadInput: it is no directory, or (a UsageError) was not given.
        """
        directory = Path(self.required(MANIFESTS))
        if not os.path.isdir(directory):  # Path.is_dir raises without permission
            raise BadInput(
                f"cannot use the manifest directory {directory}: there is no such directory",
                remedy="give the directory that webhook and daemon watch as --manifests",
            )
        return directory


def _no_arguments(_: argparse.ArgumentParser) -> None:
    """Add no arguments: the command has options only."""


@dataclass(frozen=True, slots=True)
class Command:
    """One entry of the command table.

    Attributes:
        words: what the user types, e.g. `("pod", "add")`.
        help: one line.
        run: carries it out and returns the exit status.
        options: its settings; `--output` is always there.
        add_arguments: adds positionals and plain flags such as `-f`.
        task: under which it is listed.
        example: one command line or a few, shown below its options.
    """

    words: tuple[str, ...]
    help: str
    run: Callable[[Context], int]
    options: tuple[Option, ...] = ()
    add_arguments: Callable[[argparse.ArgumentParser], None] = _no_arguments
    task: Task = Task.PROGRAM
    example: str = ""
