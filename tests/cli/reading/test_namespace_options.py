"""`-n` and `-A`: which namespace a command is about."""

from __future__ import annotations

import argparse
import io
from collections.abc import Mapping

import pytest

from planes.cli.command import Context
from planes.cli.console import Console
from planes.cli.reading.namespaces import NAMESPACE_OPTIONS, chosen_namespace
from planes.model.errors import BadInput
from planes.run.settings import Parser, add_arguments, resolve


def chosen(*argv: str, env: Mapping[str, str] | None = None) -> str:
    """Return the namespace of a command line."""
    parser = Parser(prog="test")
    add_arguments(parser, NAMESPACE_OPTIONS)
    given: argparse.Namespace = parser.parse_args(argv)
    settings = resolve(NAMESPACE_OPTIONS, vars(given), env or {})
    console = Console(io.StringIO(), io.StringIO(), {})
    return chosen_namespace(Context(settings, given, env or {}, console))


@pytest.mark.parametrize(
    ("argv", "namespace"),
    [
        ([], ""),
        (["-n", "shop"], "shop"),
        (["--namespace", "shop"], "shop"),
        (["-A"], ""),
        (["-n", "shop", "--all-namespaces"], ""),
    ],
)
def test_all_namespaces_count_more_than_one(argv: list[str], namespace: str) -> None:
    """As with kubectl, both may be given."""
    assert chosen(*argv) == namespace


def test_a_flag_counts_more_than_a_variable() -> None:
    """Who set -A for good in a shell may still name a namespace once."""
    every = {"NETPLANE_ALL_NAMESPACES": "true"}
    assert chosen(env=every) == ""
    assert chosen("-n", "shop", env=every) == "shop"
    assert chosen("-A", env={"NETPLANE_NAMESPACE": "shop"}) == ""


@pytest.mark.parametrize("name", ["A_B", "a/b", "\x1b[31m", "a" * 64])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="is no name of a namespace") as caught:
        chosen("-n", name)
    assert caught.value.message.isprintable()
