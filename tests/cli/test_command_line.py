"""The command line: statuses, one-line errors, colours only where they belong."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from planes.cli.__main__ import COMMANDS
from planes.cli.console import Console
from planes.model.errors import Denied
from tests.support.command_line import Terminal, netplane

ROOT = Path(__file__).parents[2]
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: []}\n"


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    (tmp_path / "m").mkdir()
    return tmp_path / "m"


@pytest.fixture
def pod_file(tmp_path: Path) -> str:
    (tmp_path / "pod.yaml").write_text(POD)
    return str(tmp_path / "pod.yaml")


def test_every_command_has_a_help_text() -> None:
    for command in COMMANDS:
        outcome = netplane(*command.words, "--help")
        assert outcome.status == 0
        assert command.help in outcome.out
        assert "--output table|wide|json|yaml" in outcome.out
        assert command.example, "its help has no example"
        assert "\nexample:\n  " in outcome.out


def test_the_help_lists_every_command_once_under_its_task() -> None:
    lines = netplane("--help").out.splitlines()
    for command in COMMANDS:
        words = " ".join(command.words)
        (number,) = [n for n, line in enumerate(lines) if line.startswith(f"  {words}  ")]
        heading = next(line for line in reversed(lines[:number]) if not line.startswith(" "))
        assert heading == f"{command.task}:"


def test_the_word_help_is_understood() -> None:
    assert netplane("help").out == netplane("--help").out
    assert netplane("help", "ip", "check").out == netplane("ip", "check", "--help").out


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "COMMAND"),
        (["pod"], "COMMAND"),
        (["bogus"], 'there is no command "bogus"; see netplane --help'),
        (["ip", "chekc"], "did you mean netplane ip check?"),
        (["chekc"], "did you mean netplane ip check?"),
        (["\x1b[31m"], "there is no command"),
        (["pod", "add"], "-f/--filename"),
        (["pod", "add", "-f", "x", "--bogus"], "unrecognized arguments"),
        (["pod", "list"], "cannot go on without --manifests"),
        (["pod", "list", "--output", "xml"], "'xml' is none of table, wide, json and yaml"),
        (["pod", "list", "--state-dri", "x"], "did you mean --state-dir?"),
        (["pod", "list", "\x1b[31m"], "unrecognized arguments"),
    ],
)
def test_what_is_not_understood_is_status_2(argv: list[str], says: str) -> None:
    outcome = netplane(*argv)
    assert outcome.status == 2
    assert says in outcome.err
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    assert "\x1b" not in outcome.err


def test_a_misspelt_variable_is_named() -> None:
    outcome = netplane("pod", "list", env={"NETPLANE_MANIFEST": "/m"})
    assert outcome.status == 2
    assert "did you mean NETPLANE_MANIFESTS?" in outcome.err


def test_options_may_come_from_the_environment(manifests: Path) -> None:
    outcome = netplane("pod", "list", env={"NETPLANE_MANIFESTS": str(manifests)})
    assert (outcome.status, outcome.out) == (0, "no pods\n")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot read {file}:"),
        ("a: [", "cannot read {file}:1: did not find"),
        ("- 1", "cannot read {file}:1: it is no object"),
        ("apiVersion: v1\nkind: Service\n", "cannot find anything to explain in {file}"),
        ("", "cannot find anything to explain in {file}"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: ../up}", "is no name for a pod"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: 3}", "it is not a string"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: A_B}", "no name for a pod"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: []", "is not an object"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: a, annotations: {b: 3}}", "annotations"),
    ],
)
def test_a_file_that_is_no_pod_is_named(
    manifests: Path, tmp_path: Path, content: str | None, says: str
) -> None:
    file = tmp_path / "x.yaml"
    if content is not None:
        file.write_text(content)
    outcome = netplane("explain", "-f", str(file), "--manifests", str(manifests))
    assert outcome.status == 1
    assert says.format(file=file).rstrip(":") in outcome.err


def test_a_manifest_directory_that_is_missing_is_named(tmp_path: Path, pod_file: str) -> None:
    outcome = netplane("explain", "-f", pod_file, "--manifests", str(tmp_path / "none"))
    assert outcome.status == 1
    assert "there is no such directory" in outcome.err


def test_a_pod_file_that_was_broken_by_hand_hides_no_other_pod(manifests: Path) -> None:
    (manifests / "pods").mkdir()
    (manifests / "pods" / "shop_a.json").write_text("{")
    good = {"metadata": {"name": "b", "namespace": "shop"}, "spec": {}}
    (manifests / "pods" / "shop_b.json").write_text(json.dumps(good))
    outcome = netplane("pod", "list", "--manifests", str(manifests))
    assert outcome.status == 0
    assert "shop/b" in outcome.out
    assert f"cannot read {manifests}/pods/shop_a.json: it is no pod" in outcome.err


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--webhook", "http://x"], "speaks nothing but TLS"),
        (["--webhook", "https://x:99999"], "cannot use https://x:99999"),
        (["--ca", "/nowhere"], "No such file or directory"),
        (["--ca", __file__], "it holds no certificate"),
        (["--shim", "/nowhere"], "cannot find the shim /nowhere"),
    ],
)
def test_what_pod_add_needs_is_verified_before_anything_is_made(
    manifests: Path, pod_file: str, argv: list[str], says: str
) -> None:
    outcome = netplane(
        *("pod", "add", "-f", pod_file, "--manifests", str(manifests)),
        *("--ca", "/etc/hostname", "--shim", "/bin/true", *argv),
    )
    assert outcome.status == 1
    assert says in outcome.err
    assert list(manifests.iterdir()) == []


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None,
    reason="needs root and setpriv to become another user",
)
def test_an_ordinary_user_is_told_in_two_lines() -> None:
    """Not a traceback from somewhere inside iproute2."""
    done = subprocess.run(
        [
            *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
            *(sys.executable, "-m", "planes.cli", "pod", "rm", "a/b"),
            *("--manifests", "/usr", "--shim", "/bin/true"),
        ],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    if "Permission denied" in done.stderr or "No module" in done.stderr:
        pytest.skip("another user may not read this checkout")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "cannot make network namespaces: this needs root",
        "  run the command with sudo",
    ]


def test_colours_go_to_a_terminal_only(manifests: Path, pod_file: str) -> None:
    argv = ("pod", "add", "-f", pod_file, "--manifests", str(manifests), "--shim", "/bin/true")
    plain = netplane(*argv)
    coloured = netplane(*argv, is_terminal=True)
    no_colour = netplane(*argv, is_terminal=True, env={"NO_COLOR": "1"})
    assert "\x1b[" not in plain.err
    assert "\x1b[31m" in coloured.err
    assert "\x1b[" not in no_colour.err


def test_progress_is_redrawn_on_a_terminal() -> None:
    out, err = Terminal(), Terminal()
    with Console(out, err, {}).progress("working"):
        pass
    assert err.getvalue().startswith("\r\x1b[2K⠋ working")
    assert err.getvalue().endswith("\r\x1b[2K")
    assert out.getvalue() == ""


def test_progress_is_a_plain_line_elsewhere() -> None:
    out, err = io.StringIO(), io.StringIO()
    with Console(out, err, {}).progress("working"):
        pass
    assert (out.getvalue(), err.getvalue()) == ("", "working …\n")


def test_a_table_is_as_wide_as_its_cells_and_has_no_trailing_blanks() -> None:
    out = Terminal()
    Console(out, Terminal(), {"NO_COLOR": "1"}).table(("A", "BB"), [("long", "x"), ("y", "")])
    assert out.getvalue() == "A     BB\nlong  x\ny\n"


def test_a_cell_of_a_table_moves_no_terminal() -> None:
    out = Terminal()
    Console(out, Terminal(), {"NO_COLOR": "1"}).table(("A", "B"), [("\x1b[31mx\ny", "z")])
    assert out.getvalue() == "A         B\n?[31mx?y  z\n"


def test_controls_in_a_text_are_no_commands_to_the_terminal() -> None:
    out, err = Terminal(), Terminal()
    console = Console(out, err, {})
    console.line("a\x1b[2Jb\n\x9bc\u202e", "red")
    console.warn("a\x07")
    console.table(("A",), [("\x1b]0;x",)])
    assert out.getvalue().startswith("\x1b[31ma?[2Jb\n?c?\x1b[0m\n")
    assert "?]0;x" in out.getvalue()
    assert err.getvalue() == "\x1b[33mwarning: a?\x1b[0m\n"


def test_a_remedy_of_several_lines_is_indented() -> None:
    err = Terminal()
    Console(Terminal(), err, {"NO_COLOR": "1"}).error(Denied("cannot x", remedy="a\nb"))
    assert err.getvalue() == "cannot x\n  a\n  b\n"


def test_the_module_runs_as_a_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "planes.cli", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.startswith("usage: netplane COMMAND")
