"""Threads and plugin binaries that hang are shown in metrics, threads in readiness too."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from cni.composition.metrics import HANGING_SECONDS, show_state
from cni.journal.journal import Journal
from cni.plugins.plugin import Call
from cni.plugins.plugin_turns import PluginTurns
from planes.model.wire.cniversion import Verb
from planes.run.metrics import Metrics
from planes.run.worker_threads import StuckThread
from planes.store.protocol import AddressOwner
from tests.cni.scene import set_up
from tests.support.clock import FakeClock
from tests.support.node.daemon import Place
from tests.support.node.netns import Node


async def test_binaries_threads_and_undone_dels_are_counted(tmp_path: Path) -> None:
    metrics, programs = Metrics(), PluginTurns(FakeClock(), limit=1)
    hanging = [StuckThread(60.0, "a lock"), StuckThread(61.0, "a lock")]
    show_state(
        metrics,
        Journal(tmp_path),
        programs,
        lambda seconds: [one for one in hanging if one.seconds >= seconds >= HANGING_SECONDS],
        lambda: "",
    )
    call = Call("c1", "", "net1", owner=AddressOwner("c1", "net1", "evil"))
    async with programs.turn(Verb.ADD, call, "slow"):
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


def test_readiness_is_computed_at_each_scrape(tmp_path: Path) -> None:
    """Whoever only scrapes sees it as well as whoever probes."""
    metrics, reasons = Metrics(), ["starting"]
    show_state(
        metrics, Journal(tmp_path), PluginTurns(FakeClock()), lambda _: [], lambda: "".join(reasons)
    )
    assert "netplane_ready 0.0" in metrics.render().decode()
    reasons.clear()
    assert "netplane_ready 1.0" in metrics.render().decode()
    reasons.append("a thread hangs")
    assert "netplane_ready 0.0" in metrics.render().decode()


@pytest.mark.kernel
def test_a_node_whose_threads_hang_is_not_ready_and_says_where(daemon: Place, here: Node) -> None:
    set_up(daemon)
    daemon.start(module=("tests.support.node.hanging_threads",))
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(daemon.socket))
        connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    assert answer.startswith("HTTP/1.1 503")
    assert "2 threads hang, for 62 s in cni.ipam.host_local_files.locked" in answer


async def _run(programs: PluginTurns, call: Call) -> None:
    async with programs.turn(Verb.ADD, call, "slow"):
        pass
