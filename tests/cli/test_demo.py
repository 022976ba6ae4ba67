"""The demo, run as a newcomer runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from planes.cli.demo import namespaces
from planes.cli.demo.leftovers import FOLDER_PREFIX
from tests.house.sources import ROOT

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.timeout(120),
    pytest.mark.skipif(os.geteuid() != 0, reason="the demo makes network namespaces: needs root"),
    pytest.mark.skipif(
        not (ROOT / "build/netplane").exists(), reason="the shim is not built: make setup"
    ),
]

DEMO = [sys.executable, "-m", "planes.cli", "demo"]


@pytest.fixture(autouse=True)
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A temporary folder of the test's own: another demo may run apart from it at the same time."""
    with tempfile.TemporaryDirectory(prefix="np-t-") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield


def left_behind() -> list[str]:
    """Namespaces and folders of a demo."""
    folders = Path(os.environ["TMPDIR"]).glob(f"{FOLDER_PREFIX}*")
    return [*namespaces.leftovers(), *map(str, folders)]


def start(*before: str) -> subprocess.Popen[str]:
    """Start a demo in a process group of its own, as a shell does."""
    return subprocess.Popen(
        [*before, *DEMO],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )


def wait_until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for a state of the machine."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


def test_the_demo_proves_all_it_claims_and_leaves_nothing() -> None:
    done = subprocess.run([*DEMO, "--output", "json"], capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    assert report["failed"] == []
    assert done.returncode == 0
    assert len(report["proven"]) > 20
    assert left_behind() == []


def test_the_demo_writes_its_map_where_it_is_asked_to(tmp_path: Path) -> None:
    done = subprocess.run(
        [*DEMO, "--map", "demo.html"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "90"},
    )
    assert done.returncode == 0, done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["demo.html"]
    assert "ledger-1" in (tmp_path / "demo.html").read_text()
    _, _, drawn = done.stdout.partition("$ netplane map ")
    lines = drawn.partition("$ netplane map ")[0].splitlines()[1:]
    assert any("◆ net1 ━" in line for line in lines)
    assert max(map(len, lines)) <= 90


def test_a_demo_whose_pods_all_fail_says_so_step_by_step(tmp_path: Path) -> None:
    """No traceback: what failed is the last that is said."""
    shim = tmp_path / "shim"
    error = {"code": 7, "msg": "cannot attach anything today", "details": "come back tomorrow"}
    shim.write_text(f"#!/bin/sh\ncat >/dev/null\necho '{json.dumps(error)}'\nexit 1\n")
    shim.chmod(0o755)
    done = subprocess.run([*DEMO, "--shim", str(shim)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert "cannot attach anything today" in done.stdout
    _, _, failed = done.stdout.partition("Failed:")
    assert "every pod of the three applications runs" in failed
    assert "two replicas of storage-app run, to send traffic between: 0 of 2 run" in failed
    assert "Error:" not in failed
    assert left_behind() == []


def test_ctrl_c_in_the_middle_leaves_nothing() -> None:
    demo = start()
    wait_until(lambda: len(namespaces.leftovers()) == 3)
    time.sleep(1)
    os.killpg(demo.pid, signal.SIGINT)
    output, _ = demo.communicate(timeout=40)
    assert demo.returncode == 130, output
    assert "Traceback" not in output
    assert left_behind() == []


def test_ctrl_c_is_heard_where_the_shell_that_started_it_ignores_it() -> None:
    """As under `make demo &` in a script."""
    demo = start("sh", "-c", "trap '' INT; exec \"$@\"", "sh")
    wait_until(lambda: len(namespaces.leftovers()) == 3)
    os.killpg(demo.pid, signal.SIGINT)
    output, _ = demo.communicate(timeout=40)
    assert demo.returncode == 130, output
    assert left_behind() == []


def test_a_killed_demo_is_cleaned_up_by_the_next_one() -> None:
    demo = start()
    wait_until(lambda: len(namespaces.leftovers()) == 3)
    time.sleep(2)
    demo.kill()
    demo.communicate(timeout=10)
    assert left_behind() != []
    done = subprocess.run(DEMO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert left_behind() == []


def test_a_second_demo_at_once_is_refused() -> None:
    demo = start()
    try:
        wait_until(lambda: len(namespaces.leftovers()) == 3)
        done = subprocess.run(DEMO, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "another one runs" in done.stderr
    finally:
        os.killpg(demo.pid, signal.SIGINT)
        demo.communicate(timeout=40)


def test_an_ordinary_user_is_told_in_one_line(tmp_path: Path) -> None:
    """No traceback, and the remedy."""
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    if subprocess.run(
        [*nobody, "test", "-r", ROOT / "planes" / "__init__.py"], check=False
    ).returncode:
        pytest.skip("another user may not read this checkout")
    done = subprocess.run(
        [*nobody, *DEMO],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 1
    assert "cannot run the demo as an ordinary user" in done.stderr
    assert "Traceback" not in done.stderr
