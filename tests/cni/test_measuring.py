"""What hangs is seen: threads and binaries in metrics, threads in readiness."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from cni.journal import Journal
from cni.measuring import HANGING_SECONDS, show_state
from cni.plugin import Call
from cni.programs import Programs
from planes.model.wire.cniversion import Verb
from planes.run.crew import Stuck
from planes.run.metrics import Metrics
from planes.store.protocol import AddressOwner
from tests.cni.scene import set_up
from tests.support.clock import FakeClock
from tests.support.daemon import Place
from tests.support.netns import Node


async def test_binaries_threads_and_undone_dels_are_counted(tmp_path: Path) -> None:
    metrics, programs = Metrics(), Programs(FakeClock(), limit=1)
    hanging = [Stuck(60.0, "a lock"), Stuck(61.0, "a lock")]
    show_state(
        metrics,
        Journal(tmp_path),
        programs,
        lambda seconds: [one for one in hanging if one.seconds >= seconds >= HANGING_SECONDS],
    )
    call = Call("c1", "", "net1", owner=AddressOwner("c1", "net1", "evil"))
    async with programs.place(Verb.ADD, call, "slow"):
        waiting = asyncio.create_task(_run(programs, call))
        await asyncio.sleep(0.01)
        shown = metrics.render().decode()
        for line in (
            "netplane_programs 1.0",
            "netplane_programs_waiting 1.0",
            "netplane_threads_hanging 2.0",
            "netplane_undetached 0.0",
            "netplane_journal_entries 0.0",
        ):
            assert line in shown
    await waiting


@pytest.mark.kernel
def test_a_node_whose_threads_hang_is_not_ready_and_says_where(daemon: Place, here: Node) -> None:
    set_up(daemon)
    daemon.start(module=("tests.support.stuck",))
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(daemon.socket))
        connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    assert answer.startswith("HTTP/1.1 503")
    assert "2 threads hang, for 62 s in cni.ipam.address_files.locked" in answer


async def _run(programs: Programs, call: Call) -> None:
    async with programs.place(Verb.ADD, call, "slow"):
        pass
