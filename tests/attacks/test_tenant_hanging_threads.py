"""Threads that hang on behalf of one network: the others' work goes on, and the node says so."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attacks.hanging import Scene, sandboxes, scene
from tests.support.netns import machine, why_no_kernel_tests

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]

HALF_A_MINUTE = 30.0


@pytest.fixture
def here() -> Iterator[Scene]:
    if reason := why_no_kernel_tests():
        pytest.skip(reason)
    before = machine()
    with tempfile.TemporaryDirectory(prefix="np-t-") as directory, scene(Path(directory)) as made:
        yield made
    assert machine() == before


def test_tenant_whose_address_lock_is_held_keeps_no_innocent_pod_waiting(here: Scene) -> None:
    """More of them than the pool has threads for work that does not wait."""
    here.start()
    directory = here.place.directory / "host-local" / "locked"
    directory.mkdir(parents=True)
    lock = os.open(directory / "lock", os.O_RDONLY | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        with sandboxes(6) as theirs:
            here.attack(theirs, pod="locked")
            for number in range(3):
                assert sum(here.visit(f"ours{number}")) < HALF_A_MINUTE
                assert sum(here.visit(f"plain{number}", "shop/plain")) < HALF_A_MINUTE
            here.place.kill()
    finally:
        os.close(lock)
