"""`netplane completion bash|zsh|fish`: print the script with which a shell completes commands."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from planes.cli.command import Command, Context, Task
from planes.model.errors import PlanesError

SHELLS: Final = ("bash", "zsh", "fish")


def script_of(shell: str) -> Path:
    """Return the file of a shell's script, which `scripts/completion-scripts` writes."""
    return Path(__file__).parent / "scripts" / f"netplane.{shell}"


class CompletionMissing(PlanesError):
    """The scripts were not made."""


def run_completion(context: Context) -> int:
    """Print the script of a shell.

    Raises:
        CompletionMissing: This copy of Netplane was made without the scripts.
    """
    try:
        text = script_of(context.given.shell).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CompletionMissing(
            f"cannot print the completion script of {context.given.shell}: this copy of Netplane "
            "was made without it",
            remedy="in a checkout run `make setup`; else install it by `make install`, the "
            "Debian package or the image",
        ) from None
    # Never as a document: who has NETPLANE_OUTPUT=json in a shell sources this like everybody.
    context.console.script(text)
    return 0


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, metavar="bash|zsh|fish", help="the shell")


COMPLETION: Final = Command(
    words=("completion",),
    help="print a script with which a shell completes commands and options",
    run=run_completion,
    add_arguments=_add_arguments,
    task=Task.PROGRAM,
    example="source <(netplane completion bash)",
)
