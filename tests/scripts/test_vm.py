"""`scripts/vm` starts each kernel once, fails where a test fails, and skips with a reason."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.house.sources import ROOT

# Stands for the second kernel: says which engine was asked for, and for which tests.
_KERNEL = """\
#!/bin/bash
[[ "$*" =~ "--engine "([a-z]+) ]]; engine=${BASH_REMATCH[1]}
[[ "$*" =~ " -m "(second_kernel|sriov|second_kernel or sriov)" tests/" ]]; marked=${BASH_REMATCH[1]}
trap 'echo stopped >"$TOLD/$engine"; exit 2' TERM
echo "$engine: $marked: ${*: -1}" >>"$TOLD/starts"
if [ -n "${HANG:-}" ]; then while :; do sleep 0.05; done; fi
[[ " ${FAIL:-} " != *" $engine "* ]] || exit "${CODE:-1}"
"""
_AMX = "grep -qw amx_tile /proc/cpuinfo"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The script beside stand-ins for what it calls, and a test for each mark."""
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    text = (ROOT / "scripts" / "vm").read_text()
    assert _AMX in text
    _program(scripts / "vm", text.replace(_AMX, '[ -n "${AMX:-}" ]'))
    for name in ("vm-packages", "reference-plugins"):
        _program(scripts / name, "#!/bin/sh\n")
    _program(scripts / "second-kernel", _KERNEL)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    _program(tmp_path / ".venv" / "bin" / "python", "#!/bin/sh\n")
    (tmp_path / "tests").mkdir()
    for mark in ("second_kernel", "sriov"):
        (tmp_path / "tests" / f"test_{mark}.py").write_text(f"pytestmark = pytest.mark.{mark}\n")
    return tmp_path


def _program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def _start(project: Path, more: Mapping[str, str], *arguments: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name != "VM_DIR"}
    return subprocess.Popen(
        [project / "scripts" / "vm", *arguments],
        env={**environment, "TOLD": str(project), "TMPDIR": str(project), **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _run(project: Path, more: Mapping[str, str], *arguments: str) -> tuple[int, str, list[str]]:
    with _start(project, more, *arguments) as script:
        output, _ = script.communicate(timeout=20)
    starts = project / "starts"
    lines = sorted(starts.read_text().splitlines()) if starts.exists() else []
    return script.returncode, output, lines


def test_each_kernel_starts_once_with_the_files_of_its_mark(project: Path) -> None:
    code, output, starts = _run(project, {})
    assert code == 0, output
    assert starts == [
        "qemu: sriov: tests/test_sriov.py",
        "uml: second_kernel: tests/test_second_kernel.py",
    ]


def test_on_a_cpu_with_amx_one_kernel_runs_all(project: Path) -> None:
    code, output, starts = _run(project, {"AMX": "1"})
    assert code == 0, output
    assert starts == ["qemu: second_kernel or sriov: tests/test_sriov.py"]


def test_an_engine_that_is_asked_for_runs_all(project: Path) -> None:
    code, output, starts = _run(project, {"VM_ENGINE": "qemu"})
    assert (code, len(starts)) == (0, 1), output
    assert "all tests run in QEMU: VM_ENGINE asks for it" in output


def test_no_kernel_starts_for_marks_that_the_arguments_leave_out(project: Path) -> None:
    """The stand-in for pytest finds no test of SR-IOV, as `-k ipvlan` would."""
    found_none = '#!/bin/sh\ncase "$*" in *"-m sriov"*) exit 5 ;; esac\n'
    _program(project / ".venv" / "bin" / "python", found_none)
    code, output, starts = _run(project, {}, "-k", "ipvlan")
    assert (code, starts) == (0, ["uml: second_kernel: ipvlan"])
    assert "no test marked sriov is meant" in output


def test_arguments_that_mean_no_test_are_an_error(project: Path) -> None:
    _program(project / ".venv" / "bin" / "python", '#!/bin/sh\n[ "$2" != pytest ] || exit 5\n')
    code, _, starts = _run(project, {}, "-k", "no-such-test")
    assert (code, starts) == (5, [])


def test_files_that_are_named_are_run_alone(project: Path) -> None:
    _, _, starts = _run(project, {"AMX": "1"}, "tests/test_second_kernel.py::test_it")
    assert starts == ["qemu: second_kernel or sriov: tests/test_second_kernel.py::test_it"]


def test_arguments_are_those_of_pytest(project: Path) -> None:
    _, _, starts = _run(project, {"AMX": "1"}, "-x")
    assert starts == ["qemu: second_kernel or sriov: -x"]


@pytest.mark.parametrize("fails", ["uml", "qemu", "uml qemu"])
def test_its_exit_code_tells_whether_both_passed(project: Path, fails: str) -> None:
    code, output, _ = _run(project, {"FAIL": fails})
    assert code == 1, output


def test_where_user_mode_linux_does_not_start_qemu_runs_its_tests(project: Path) -> None:
    code, output, starts = _run(project, {"FAIL": "uml", "CODE": "125"})
    assert code == 0, output
    assert "qemu: second_kernel: tests/test_second_kernel.py" in starts


def test_without_its_packages_it_says_so_and_starts_nothing(project: Path) -> None:
    _program(project / "scripts" / "vm-packages", "#!/bin/sh\necho no mirror; exit 1\n")
    code, output, starts = _run(project, {})
    assert (code, starts) == (0, [])
    assert "no mirror\nvm: the tests in a second kernel did NOT run" in output


def test_stopping_it_stops_both_kernels(project: Path) -> None:
    with _start(project, {"HANG": "1"}) as script:
        starts = project / "starts"
        while not starts.exists() or len(starts.read_text().splitlines()) < 2:
            time.sleep(0.02)
        script.send_signal(signal.SIGTERM)
        script.communicate(timeout=20)
    assert script.returncode not in (0, None)
    assert [(project / engine).read_text() for engine in ("uml", "qemu")] == ["stopped\n"] * 2


def test_it_leaves_no_file(project: Path) -> None:
    before = sorted(project.rglob("*"))
    _run(project, {})
    (project / "starts").unlink()
    assert sorted(project.rglob("*")) == before
