"""A part of `make chaos`, and whether it would find a book that breaks its promises.

CHAOS_ALLOCATIONS says how large the part is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

_PART = "4000"
_SECONDS = 280


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    return subprocess.run(
        [sys.executable, "-m", *argv],
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
        env=environment,
    )


def sabotaged(book: str) -> dict[str, Any]:
    done = run("tests.chaos.sabotaged", book)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.timeout(_SECONDS)
def test_no_address_is_handed_out_twice_or_lost_under_kills_and_faults() -> None:
    allocations = os.environ.get("CHAOS_ALLOCATIONS") or _PART
    done = run("tests.chaos", "--seed", "1", "--allocations", allocations)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "none twice, none lost" in done.stdout


@pytest.mark.timeout(_SECONDS)
def test_nodes_that_share_a_plane_without_asking_are_found_with_few_steps() -> None:
    found = sabotaged("lonely")
    assert "but Attachment(node=" in found["failure"]
    assert found["steps"] <= 20


@pytest.mark.timeout(_SECONDS)
def test_an_address_that_is_not_released_is_found() -> None:
    failure = sabotaged("forgetful")["failure"]
    assert "still holds" in failure or "could be taken at the end" in failure


@pytest.mark.timeout(_SECONDS)
def test_the_same_seed_gives_the_same_world() -> None:
    found = sabotaged("real")
    assert found["is_same"]
    assert found["failure"] == ""
    assert found["allocations"] > 50
