"""A tenant whose plugins never end: it waits for itself, and nobody else waits for it."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attacks.hanging import Scene, sandboxes, scene
from tests.support.daemon import CniError
from tests.support.netns import machine, why_no_kernel_tests

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]

HALF_A_MINUTE = 30.0  # far above what an innocent call takes, far below what the tenant's do


@pytest.fixture
def here() -> Iterator[Scene]:
    if reason := why_no_kernel_tests():
        pytest.skip(reason)
    before = machine()
    with tempfile.TemporaryDirectory(prefix="np-t-") as directory, scene(Path(directory)) as made:
        yield made
    assert machine() == before


def test_tenant_whose_adds_hang_keeps_no_innocent_pod_waiting(here: Scene) -> None:
    """40 calls: more than there ever were slots for all namespaces together."""
    here.start()
    with sandboxes(40) as theirs:
        here.attack(theirs)
        here.until_hanging(8)
        for number in range(3):
            assert sum(here.visit(f"ours{number}")) < HALF_A_MINUTE
            assert sum(here.visit(f"plain{number}", "shop/plain")) < HALF_A_MINUTE
        assert here.running() == 8, "the share of one namespace"


def test_tenant_whose_dels_hang_keeps_no_innocent_pod_waiting(here: Scene) -> None:
    here.start()
    with sandboxes(40) as theirs:
        here.attack(theirs, pod="late")
        for thread in here.threads:
            thread.join(60)
        assert here.errors == []
        here.attack(theirs, "DEL", pod="late")
        here.until_hanging(8, "late")
        for number in range(3):
            assert sum(here.visit(f"ours{number}")) < HALF_A_MINUTE


def test_tenant_whose_plugins_hang_does_not_hold_gc_up(here: Scene) -> None:
    """Nor does a GC that waits for it keep others from being attached."""
    here.start()
    with sandboxes(4) as theirs:
        here.attack(theirs)
        here.until_hanging(4)
        here.place.call("GC", "", conf={"cni.dev/valid-attachments": []})
        assert sum(here.visit("ours")) < HALF_A_MINUTE
        assert here.running() == 4, "a sandbox with a call in flight is no garbage"


def test_tenant_whose_gc_hangs_keeps_nobody_waiting(here: Scene) -> None:
    """Neither other pods, nor its own next one, nor the runtime for long."""
    here.start()
    with sandboxes(2) as theirs:
        here.attack(theirs[:1], pod="hoard")
        here.threads[0].join(30)
        listed = {"cni.dev/valid-attachments": [{"containerID": "evil0", "ifname": "eth0"}]}
        told: list[str] = []

        def collect() -> None:
            with pytest.raises(CniError) as caught:
                here.place.call("GC", "", conf=listed)
            told.append(caught.value.msg)

        collecting = threading.Thread(target=collect)
        collecting.start()
        here.until_hanging(1, "hoard")
        here.place.call("ADD", theirs[1].path, container="evil1", pod="evil/hoard")
        assert sum(here.visit("ours")) < HALF_A_MINUTE
        collecting.join(HALF_A_MINUTE)
        assert "while a sandbox waited to be attached" in told[0]
        assert here.running("hoard") == 0
