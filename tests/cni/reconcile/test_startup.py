"""Start of the daemon: ADDs wait for the cleanup after a crash, but never for what hangs."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from cni.reconcile.reconciler import Reconciler
from cni.reconcile.startup import StartupOrder
from cni.serving.spool import Spool
from planes.run.jobs import start
from planes.run.shielded import shielded
from tests.cni.runtime_scene import bench
from tests.support.cni.runtime import NOTHING, Bench


class HangingRecovery(Reconciler):
    """One whose first look waits for a thread in a system call, which nobody can cancel."""

    def __init__(self, made: Bench, let_go: threading.Event) -> None:
        super().__init__(
            journal=made.journal,
            teardown=made.teardown,
            call_locks=made.call_locks,
            reporter=made.reporter,
            store=made.store,
            clock=made.clock,
        )
        self._let_go = let_go

    async def begin_recovery(self) -> int:
        await shielded(start(self._let_go.wait))
        return 0


async def test_an_add_waits_for_no_thread_that_hangs(tmp_path: Path) -> None:
    made, let_go = await bench(tmp_path), threading.Event()
    spool = Spool(tmp_path / "spool", made.runtime, made.clock)
    settling = StartupOrder(made.runtime, HangingRecovery(made, let_go), spool, timeout=0.05)
    running = asyncio.create_task(settling.run())
    try:
        async with asyncio.timeout(10):
            await made.call("ADD", through=lambda _verbs, _spool: settling)
            await made.call("DEL", through=lambda _verbs, _spool: settling)
        assert not running.done()
    finally:
        let_go.set()
        await running
    assert made.leftovers() == NOTHING


async def test_a_del_does_not_overtake_an_add_that_waits(tmp_path: Path) -> None:
    made, let_go = await bench(tmp_path), threading.Event()
    spool = Spool(tmp_path / "spool", made.runtime, made.clock)
    startup = StartupOrder(made.runtime, HangingRecovery(made, let_go), spool, timeout=30)
    running = asyncio.create_task(startup.run())
    try:
        async with asyncio.timeout(10):
            adding = asyncio.create_task(made.call("ADD", through=lambda _verbs, _spool: startup))
            await asyncio.sleep(0.05)
            deleting = asyncio.create_task(made.call("DEL", through=lambda _verbs, _spool: startup))
            await asyncio.wait({deleting}, timeout=0.2)
            assert not deleting.done()
            let_go.set()
            await adding
            await deleting
    finally:
        let_go.set()
        await running
    assert made.leftovers() == NOTHING
