"""What is made from the table of commands is up to date, and works in a shell."""

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


@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="texts of argparse differ from version to version"
)
def test_scripts_and_man_page_are_of_the_commands_as_they_are(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "command-documents", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert len(made) == len(SHELLS) + 1
    stale = [
        str(path) for path in made if (tmp_path / path).read_text() != (ROOT / path).read_text()
    ]
    assert stale == [], "run scripts/command-documents"


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
    text = (ROOT / "docs" / "man" / "netplane.1").read_text().replace("\\-", "-")
    for command in COMMANDS:
        assert f".SS \\fBnetplane {' '.join(command.words)}\\fR" in text
        assert command.example in text
