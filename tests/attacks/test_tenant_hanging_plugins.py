"""A tenant's plugins never end: its own calls wait, and no other call does."""

from __future__ import annotations

import threading

import pytest

from tests.attacks.hanging import AttackedNode, sandboxes
from tests.support.node.daemon import CniError

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]

HALF_A_MINUTE = 30.0  # far above what an innocent call takes, far below what the tenant's do


def test_tenant_whose_adds_hang_keeps_no_innocent_pod_waiting(attacked: AttackedNode) -> None:
    """40 calls: more than there ever were slots for all namespaces together."""
    attacked.start()
    with sandboxes(40) as theirs:
        attacked.attack(theirs)
        attacked.until_hanging(8)
        for number in range(3):
            assert sum(attacked.visit(f"ours{number}")) < HALF_A_MINUTE
            assert sum(attacked.visit(f"plain{number}", "shop/plain")) < HALF_A_MINUTE
        assert attacked.running() == 8, "the share of one namespace"


def test_tenant_whose_dels_hang_keeps_no_innocent_pod_waiting(attacked: AttackedNode) -> None:
    attacked.start()
    with sandboxes(40) as theirs:
        attacked.attack(theirs, pod="late")
        for thread in attacked.threads:
            thread.join(60)
        assert attacked.errors == []
        attacked.attack(theirs, "DEL", pod="late")
        attacked.until_hanging(8, "late")
        for number in range(3):
            assert sum(attacked.visit(f"ours{number}")) < HALF_A_MINUTE


def test_tenant_whose_plugins_hang_does_not_hold_gc_up(attacked: AttackedNode) -> None:
    """Nor does a GC that waits for it keep others from being attached."""
    attacked.start()
    with sandboxes(4) as theirs:
        attacked.attack(theirs)
        attacked.until_hanging(4)
        attacked.place.call("GC", "", conf={"cni.dev/valid-attachments": []})
        assert sum(attacked.visit("ours")) < HALF_A_MINUTE
        assert attacked.running() == 4, "a sandbox with a call in flight is no garbage"


def test_tenant_whose_gc_hangs_keeps_nobody_waiting(attacked: AttackedNode) -> None:
    """Neither other pods, nor its own next one, nor the runtime for long."""
    attacked.start()
    with sandboxes(2) as theirs:
        attacked.attack(theirs[:1], pod="hoard")
        attacked.threads[0].join(30)
        listed = {"cni.dev/valid-attachments": [{"containerID": "evil0", "ifname": "eth0"}]}
        told: list[str] = []

        def collect() -> None:
            with pytest.raises(CniError) as caught:
                attacked.place.call("GC", "", conf=listed)
            told.append(caught.value.msg)

        collecting = threading.Thread(target=collect)
        collecting.start()
        attacked.until_hanging(1, "hoard")
        attacked.place.call("ADD", theirs[1].path, container="evil1", pod="evil/hoard")
        assert sum(attacked.visit("ours")) < HALF_A_MINUTE
        collecting.join(HALF_A_MINUTE)
        assert "while a sandbox waited to be attached" in told[0]
        assert attacked.running("hoard") == 0
