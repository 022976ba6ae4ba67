"""Supervision: start, failure, signals, draining in order and in time."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from planes.run.supervise import Service, Supervisor, supervise


class Parts:
    """Services that write down what happens to them."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def steady(self, name: str, drain_seconds: float = 0) -> Service:
        async def run() -> None:
            self.lines.append(f"+{name}")
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(drain_seconds)
                self.lines.append(f"-{name}")

        return run

    def failing(self, error: Exception) -> Service:
        async def run() -> None:
            await asyncio.sleep(0.01)
            raise error

        return run


async def test_a_stop_drains_the_services_last_first() -> None:
    """The server goes before the store it needs."""
    parts = Parts()
    services = {name: parts.steady(name, 0.01) for name in ("store", "server")}
    supervisor = Supervisor(services, signals=())
    running = asyncio.create_task(supervisor.run())
    await asyncio.sleep(0.01)
    supervisor.stop()
    assert await running == 0
    assert parts.lines == ["+store", "+server", "-server", "-store"]


async def test_a_failure_ends_everything_with_one_line_and_status_1(
    caplog: pytest.LogCaptureFixture,
) -> None:
    parts = Parts()
    services = {"store": parts.steady("store"), "bad": parts.failing(OSError("no disk"))}
    with caplog.at_level(logging.INFO):
        assert await supervise(services, signals=()) == 1
    assert parts.lines == ["+store", "-store"]
    assert [(r.message, r.__dict__["part"]) for r in caplog.records] == [("service failed", "bad")]


async def test_a_service_may_end_by_itself_and_all_ended_is_the_end() -> None:
    async def once() -> None:
        await asyncio.sleep(0)

    assert await supervise({"a": once, "b": once}, signals=()) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_asks_for_the_end(number: signal.Signals) -> None:
    parts = Parts()

    async def send() -> None:
        os.kill(os.getpid(), number)

    assert await supervise({"store": parts.steady("store"), "send": send}) == 0
    assert parts.lines == ["+store", "-store"]


def test_an_interrupt_ends_the_program_where_its_parent_ignores_interrupts() -> None:
    """A script that starts the daemon with `&` has it ignore SIGINT."""
    code = (
        "import asyncio, sys; from planes.run.supervise import supervise\n"
        "async def service():\n    print('runs', flush=True); await asyncio.Event().wait()\n"
        "sys.exit(asyncio.run(supervise({'one': service})))"
    )
    argv = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", sys.executable, "-c", code]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"runs\n"
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=20) == 0


async def test_a_service_that_does_not_drain_is_aborted_at_the_deadline(
    caplog: pytest.LogCaptureFixture,
) -> None:
    parts = Parts()
    services = {"slow": parts.steady("slow", 60)}
    supervisor = Supervisor(services, drain_seconds=0.02, signals=())
    running = asyncio.create_task(supervisor.run())
    async with asyncio.timeout(2):
        while parts.lines != ["+slow"]:
            await asyncio.sleep(0)
        supervisor.stop()
        assert await running == 0
    assert [record.message for record in caplog.records] == ["service did not drain in time"]


async def test_cancelling_the_supervisor_cancels_its_services() -> None:
    parts = Parts()
    running = asyncio.create_task(supervise({"store": parts.steady("store")}, signals=()))
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert parts.lines == ["+store", "-store"]
