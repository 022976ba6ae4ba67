"""The last resort: the process ends when its orderly end does not come, and only then."""

from __future__ import annotations

import queue
import time

from planes.run.last_resort import LastResort


def test_it_ends_the_process_with_the_status_given() -> None:
    ended: queue.Queue[int] = queue.Queue()
    resort = LastResort(ended.put)
    resort.explain(lambda: "a thread hangs")
    resort.arm(60)
    resort.arm(0.01, 3)
    assert ended.get(timeout=10) == 3


def test_disarmed_it_does_nothing() -> None:
    ended: queue.Queue[int] = queue.Queue()
    resort = LastResort(ended.put)
    resort.disarm()
    resort.arm(0.05)
    resort.disarm()
    time.sleep(0.2)
    assert ended.empty()
