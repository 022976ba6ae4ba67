"""The watchdog: the process ends when its orderly end does not come, and only then."""

from __future__ import annotations

import queue
import time

from planes.run.exit_watchdog import ExitWatchdog


def test_it_ends_the_process_with_the_status_given() -> None:
    ended: queue.Queue[int] = queue.Queue()
    watchdog = ExitWatchdog(ended.put)
    watchdog.explain(lambda: "a thread hangs")
    watchdog.arm(60)
    watchdog.arm(0.01, 3)
    assert ended.get(timeout=10) == 3


def test_disarmed_it_does_nothing() -> None:
    ended: queue.Queue[int] = queue.Queue()
    watchdog = ExitWatchdog(ended.put)
    watchdog.disarm()
    watchdog.arm(0.05)
    watchdog.disarm()
    time.sleep(0.2)
    assert ended.empty()
