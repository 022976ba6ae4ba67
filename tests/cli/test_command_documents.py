"""What is made from the table of commands is of the commands as they are, and works in a shell."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from planes.cli.__main__ import COMMANDS
from planes.cli.completion.command import SHELLS, script_of
from tests.support.command_line import netplane

ROOT = Path(__file__).parents[2]
MAN_PAGE = ROOT / "docs" / "man" / "netplane.1"


def made_by(script: str, target: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / script, target],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="texts of argparse differ from version to version"
)
def test_the_man_page_is_of_the_commands_as_they_are(tmp_path: Path) -> None:
    page = tmp_path / "netplane.1"
    made_by("man-page", page)
    assert page.read_text() == MAN_PAGE.read_text(), "run scripts/man-page"


def test_the_scripts_of_shells_are_of_the_commands_as_they_are(tmp_path: Path) -> None:
    made_by("completion-scripts", tmp_path)
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["netplane"] * len(SHELLS)
    for shell in SHELLS:
        text = (tmp_path / f"netplane.{shell}").read_text()
        assert text == script_of(shell).read_text(), "run `make setup`"


def test_a_copy_without_the_scripts_says_how_they_are_made() -> None:
    """As it is where the wheel was built of a checkout without `make setup`."""
    script = script_of("fish")
    moved = script.rename(script.with_suffix(".away"))
    try:
        outcome = netplane("completion", "fish")
    finally:
        moved.rename(script)
    assert (outcome.status, outcome.out) == (1, "")
    assert "cannot print the completion script of fish" in outcome.err
    assert "make setup" in outcome.err


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shells_script_is_printed(shell: str) -> None:
    outcome = netplane("completion", shell)
    assert (outcome.status, outcome.out) == (0, script_of(shell).read_text())
    assert netplane("completion", shell, env={"NETPLANE_OUTPUT": "json"}).out == outcome.out


def test_a_shell_without_a_script_is_status_2() -> None:
    outcome = netplane("completion", "tcsh")
    assert outcome.status == 2
    assert "'bash', 'zsh', 'fish'" in outcome.err


def completed(*words: str) -> list[str]:
    """Return what bash completes for the last word."""
    script = (
        f'source "{script_of("bash")}"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
        '_shtab_netplane "$1" "${@: -1}" "${@: -2:1}" 2>/dev/null; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", script, "bash", *words], capture_output=True, text=True, check=True
    )
    return sorted(done.stdout.split())


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_commands_options_and_values() -> None:
    assert completed("netplane", "") == sorted({command.words[0] for command in COMMANDS})
    assert "check" in completed("netplane", "ip", "")
    assert completed("netplane", "ip", "check", "--kube") == ["--kubeconfig"]
    assert completed("netplane", "ip", "check", "-o", "") == ["json", "table", "wide", "yaml"]
    assert completed("netplane", "completion", "z") == ["zsh"]


def test_the_man_page_has_every_command_and_its_example() -> None:
    text = MAN_PAGE.read_text().replace("\\-", "-")
    for command in COMMANDS:
        assert f".SS \\fBnetplane {' '.join(command.words)}\\fR" in text
        assert command.example in text
