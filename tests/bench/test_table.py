"""The table of the benchmarks: ratios and goals the right way round, skips with their reason."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.bench.__main__ import main
from tests.bench.processes import ROOT
from tests.bench.table import Goal, Row, Side, as_json, is_met, published, render, side

OURS = side("ours", "ms", [1.0, 2.0, 3.0])


def test_the_median_and_the_99th_percentile_are_taken() -> None:
    found = side("ours", "ms", [float(number) for number in range(1, 1001)])
    assert (found.median, found.p99) == (500.5, 990.0)


def test_a_goal_with_a_peer_is_about_the_ratio() -> None:
    peer = published("peer", "ms", 16.0)
    assert is_met(Goal("<= 1/8", 1 / 8), OURS, peer)
    assert not is_met(Goal("<= 1/9", 1 / 9), OURS, peer)


def test_a_rate_must_reach_its_goal() -> None:
    ours = Side("ours", "/s", 90.0)
    assert not is_met(Goal(">= 10 x", 10.0, is_at_most=False), ours, Side("peer", "/s", 9.1))
    assert is_met(Goal(">= 10 x", 10.0, is_at_most=False), ours, Side("peer", "/s", 9.0))


def test_a_goal_about_the_tail_looks_at_the_99th_percentile() -> None:
    assert not is_met(Goal("p99 <= 2 ms", 2.0, is_tail=True), OURS, OURS)


def test_the_table_marks_what_is_published_and_what_is_missed() -> None:
    goal = Goal("<= 1 x", 1.0)
    text = render([Row("speed", OURS, (published("peer", "ms", 1.0, goal),))])
    assert " ".join(text.splitlines()[3].split()) == "peer (published) 1.00 ms 2.00 x <= 1 x MISSED"


def test_a_skipped_row_says_why() -> None:
    row = Row("speed", skipped="needs root")
    assert render([row]).splitlines()[-1] == "speed: skipped: needs root"
    assert as_json(row) == {"what": "speed", "skipped": "needs root"}


def test_an_unknown_bench_is_refused() -> None:
    with pytest.raises(SystemExit) as refused:
        main(["sppeed"])
    assert refused.value.code == 2


@pytest.mark.kernel
@pytest.mark.timeout(120)
def test_ctrl_c_leaves_no_namespace(tmp_path: Path) -> None:
    """Stopped while pods come and go, it ends with 130 and its namespaces are gone."""
    if not (ROOT / "build" / "netplane").is_file():
        pytest.skip("build/netplane is missing: make setup")
    out = tmp_path / "out.json"
    command = [sys.executable, "-m", "tests.bench", "memory", "--output", str(out)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as bench:
        made: set[str] = set()
        deadline = time.monotonic() + 60
        while not made and bench.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
            made = {name for name in _namespaces() if _belongs(name, bench.pid)}
        assert made or bench.poll() is not None, "nothing was made in time"
        bench.send_signal(signal.SIGINT)
        _, said = bench.communicate(timeout=40)
    assert not out.exists() or json.loads(out.read_text())["benches"]["memory"][0].get("skipped")
    assert bench.returncode in {0, 130}, said
    assert not [name for name in _namespaces() if _belongs(name, bench.pid)]


def _namespaces() -> set[str]:
    folder = Path("/run/netns")
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def _belongs(name: str, pid: int) -> bool:
    return name.startswith(f"np-b-{pid}-")
