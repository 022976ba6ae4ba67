"""The first moment after a start: ADDs wait for what was left, and never for what hangs."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from cni.recovery import Recovery
from cni.serving.spool import Spool
from cni.settling import Settling
from planes.run.jobs import ended, start
from tests.cni.shop import bench
from tests.support.runtime import NOTHING, Bench


class HangingRecovery(Recovery):
    """One whose first look waits for a thread in a system call, which nobody can cancel."""

    def __init__(self, made: Bench, let_go: threading.Event) -> None:
        super().__init__(
            journal=made.journal,
            leaver=made.leaver,
            gate=made.gate,
            reporter=made.reporter,
            store=made.store,
            clock=made.clock,
        )
        self._let_go = let_go

    async def begin(self) -> int:
        await ended(start(self._let_go.wait))
        return 0


async def test_an_add_waits_for_no_thread_that_hangs(tmp_path: Path) -> None:
    made, let_go = await bench(tmp_path), threading.Event()
    spool = Spool(tmp_path / "spool", made.runtime, made.clock)
    settling = Settling(made.runtime, HangingRecovery(made, let_go), spool, patience=0.05)
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
