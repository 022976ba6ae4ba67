"""Threads hang for one network: other calls go on, and readiness reports the threads."""

from __future__ import annotations

import fcntl
import os

import pytest

from tests.attacks.hanging import AttackedNode, sandboxes

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]

HALF_A_MINUTE = 30.0


def test_tenant_whose_address_lock_is_held_keeps_no_innocent_pod_waiting(
    attacked: AttackedNode,
) -> None:
    """More of them than the pool has threads for work that does not wait."""
    attacked.start()
    directory = attacked.place.directory / "host-local" / "locked"
    directory.mkdir(parents=True)
    lock = os.open(directory / "lock", os.O_RDONLY | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        with sandboxes(6) as theirs:
            attacked.attack(theirs, pod="locked")
            for number in range(3):
                assert sum(attacked.visit(f"ours{number}")) < HALF_A_MINUTE
                assert sum(attacked.visit(f"plain{number}", "shop/plain")) < HALF_A_MINUTE
            attacked.place.kill()
    finally:
        os.close(lock)
