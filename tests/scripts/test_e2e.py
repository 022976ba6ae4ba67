"""`scripts/e2e` says by its exit code whether all tests passed, and stops all it started."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.house.sources import ROOT

# Stands for the interpreter that runs pytest: the tests apart are known by their files' names.
_PYTEST = """\
#!/bin/sh
case "$*" in *"--ignore"*) part=shared ;; *) part=apart ;; esac
echo "$part"
trap 'echo stopped >"$TOLD/$part"; exit 2' TERM
if [ -n "${HANG:-}" ]; then echo $$ >"$TOLD/$part.pid"; while :; do sleep 0.05; done; fi
case "${FAIL:-}" in $part) exit 1 ;; esac
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The script beside stand-ins for what it calls, each of which does nothing, at once."""
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    shutil.copy(ROOT / "scripts" / "e2e", scripts)
    for name in ("system-packages", "image", "cluster-binaries", "multus-binaries"):
        _program(scripts / name, "#!/bin/sh\n")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    _program(tmp_path / ".venv" / "bin" / "python", _PYTEST)
    return tmp_path


def _program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def _start(project: Path, more: Mapping[str, str]) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name != "E2E_BIN"}
    return subprocess.Popen(
        [project / "scripts" / "e2e"],
        env={**environment, "TOLD": str(project), "TMPDIR": str(project), **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize(("fails", "code"), [("none", 0), ("shared", 1), ("apart", 1)])
def test_its_exit_code_tells_whether_both_parts_passed(
    project: Path, fails: str, code: int
) -> None:
    with _start(project, {"FAIL": fails}) as script:
        output, _ = script.communicate(timeout=20)
    assert script.returncode == code, output
    assert output.split("\n")[0] == "shared"
    assert "\napart\n" in output


def test_a_program_it_needs_that_cannot_be_built_fails_it(project: Path) -> None:
    _program(project / "scripts" / "image", "#!/bin/sh\nexit 3\n")
    with _start(project, {}) as script:
        output, _ = script.communicate(timeout=20)
    assert script.returncode == 3, output


def test_stopping_it_stops_both_parts(project: Path) -> None:
    with _start(project, {"HANG": "1"}) as script:
        parts = [project / "shared", project / "apart"]
        while not all(part.with_suffix(".pid").exists() for part in parts):
            time.sleep(0.02)
        script.send_signal(signal.SIGTERM)
        script.communicate(timeout=20)
    assert script.returncode not in (0, None)
    assert [part.read_text() for part in parts] == ["stopped\n", "stopped\n"]


def test_it_leaves_no_file(project: Path) -> None:
    before = sorted(project.rglob("*"))
    with _start(project, {}) as script:
        script.communicate(timeout=20)
    assert sorted(project.rglob("*")) == before
