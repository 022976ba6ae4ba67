"""What the service manager is told: by datagrams of systemd's protocol, to a socket of the test."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from planes.run.clock import SystemClock
from planes.run.service_manager import ServiceManager, service_manager
from tests.support.clock import FakeClock
from tests.support.service_manager import ManagerSocket

_numbers = itertools.count()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ManagerSocket]:
    abstract = f"@netplane-test-{os.getpid()}-{next(_numbers)}"
    made = ManagerSocket(abstract if request.param == "abstract" else str(tmp_path / "notify"))
    yield made
    made.close()


@asynccontextmanager
async def running(
    told: ServiceManager,
    clock: FakeClock,
    *,
    is_serving: Callable[[], bool] = lambda: True,
    status: Callable[[], str] = lambda: "serving",
) -> AsyncIterator[None]:
    task = asyncio.create_task(told.run(clock, is_serving=is_serving, status=status))
    await pause(clock)
    yield
    task.cancel()
    await asyncio.wait({task})


async def pause(clock: FakeClock) -> None:
    """Wait until the report is made: the loop has come to its pause."""
    while not clock.sleepers:
        await asyncio.sleep(0)


async def pass_seconds(clock: FakeClock, seconds: float) -> None:
    clock.advance(seconds)
    await asyncio.sleep(0)
    await pause(clock)


async def test_it_is_told_once_that_the_program_serves(manager: ManagerSocket) -> None:
    clock = FakeClock()
    async with running(service_manager({"NOTIFY_SOCKET": manager.name}), clock):
        assert manager.told() == ["READY=1\nSTATUS=serving"]
        await pass_seconds(clock, 1)
        assert manager.told() == []


async def test_it_is_told_the_status_while_the_program_starts(
    manager: ManagerSocket,
) -> None:
    clock, serves = FakeClock(), False
    told = ServiceManager(manager.name)
    async with running(
        told, clock, is_serving=lambda: serves, status=lambda: "serving" if serves else "starting"
    ):
        assert manager.told() == ["STATUS=starting"]
        serves = True
        await pass_seconds(clock, 0.05)
        assert manager.told() == ["READY=1\nSTATUS=serving"]


async def test_readiness_is_not_taken_back_where_the_status_becomes_bad(
    manager: ManagerSocket,
) -> None:
    clock, reason = FakeClock(), "serving"
    told = ServiceManager(manager.name)
    async with running(told, clock, is_serving=lambda: reason == "serving", status=lambda: reason):
        manager.told()
        reason = "a thread hangs"
        await pass_seconds(clock, 1)
        assert manager.told() == ["STATUS=a thread hangs"]


async def test_a_program_that_is_watched_gives_signs_of_life_in_time(
    manager: ManagerSocket,
) -> None:
    """The clock stands for the event loop: a loop that is stuck gives none."""
    clock = FakeClock()
    env = {"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "2000000"}
    async with running(service_manager(env), clock):
        manager.told()
        for _ in range(4):
            await pass_seconds(clock, 0.5)
        assert manager.told() == ["WATCHDOG=1"] * 4


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "1"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "²"},
        {"WATCHDOG_USEC": "-5"},
    ],
)
async def test_without_a_watchdog_of_ours_there_are_no_signs_of_life(
    manager: ManagerSocket, env: dict[str, str]
) -> None:
    clock = FakeClock()
    async with running(service_manager({"NOTIFY_SOCKET": manager.name, **env}), clock):
        await pass_seconds(clock, 60)
        assert not any("WATCHDOG" in text for text in manager.told())


async def test_the_watchdog_of_our_own_process_counts(manager: ManagerSocket) -> None:
    env = {"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": str(os.getpid())}
    clock = FakeClock()
    async with running(service_manager({"NOTIFY_SOCKET": manager.name, **env}), clock):
        assert manager.told() == ["WATCHDOG=1\nREADY=1\nSTATUS=serving"]


async def test_the_end_is_told_and_signs_of_life_go_on(manager: ManagerSocket) -> None:
    clock, told = FakeClock(), ServiceManager(manager.name, 2.0)
    async with running(told, clock):
        manager.told()
        told.stopping("finishing calls")
        assert manager.told() == ["STOPPING=1\nSTATUS=finishing calls"]
        await pass_seconds(clock, 0.5)
        assert manager.told() == ["WATCHDOG=1"]


async def test_a_program_that_stops_before_it_serves_is_never_called_ready(
    manager: ManagerSocket,
) -> None:
    clock, serves = FakeClock(), False
    told = ServiceManager(manager.name)
    async with running(told, clock, is_serving=lambda: serves):
        told.stopping()
        serves = True
        await pass_seconds(clock, 0.05)
        assert not any("READY" in text for text in manager.told())


async def test_a_program_that_stops_just_as_it_serves_is_called_ready_before_that(
    manager: ManagerSocket,
) -> None:
    """To systemd, a program that ends without ever being ready has failed."""
    clock, serves = FakeClock(), False
    told = ServiceManager(manager.name)
    async with running(told, clock, is_serving=lambda: serves):
        manager.told()
        serves = True
        told.stopping()
        assert manager.told() == ["READY=1", "STOPPING=1\nSTATUS=stopping"]
        await pass_seconds(clock, 1)
        assert manager.told() == []


async def test_a_status_is_one_line_without_escapes(manager: ManagerSocket) -> None:
    clock = FakeClock()
    hostile = "pod a\nREADY=0\x1b[31m" + "x" * 1000
    async with running(ServiceManager(manager.name), clock, status=lambda: hostile):
        (text,) = manager.told()
    lines = text.split("\n")
    assert lines[0] == "READY=1"
    assert lines[1].startswith("STATUS=pod a READY=0?[31mxxx")
    assert len(lines) == 2
    assert len(text) < 300


async def test_what_could_not_be_told_is_told_later(tmp_path: Path) -> None:
    clock, place = FakeClock(), str(tmp_path / "late")
    async with running(ServiceManager(place), clock):
        late = ManagerSocket(place)
        await pass_seconds(clock, 0.05)
        assert late.told() == ["READY=1\nSTATUS=serving"]
        late.close()


async def test_a_manager_that_does_not_listen_is_one_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    async with running(ServiceManager(str(tmp_path / "nobody")), clock):
        for _ in range(5):
            await pass_seconds(clock, 1)
    assert [record.message for record in caplog.records] == ["cannot tell the service manager"]


async def test_a_manager_that_does_not_read_keeps_nobody_waiting(
    manager: ManagerSocket,
) -> None:
    clock, told = FakeClock(), ServiceManager(manager.name, 2.0)
    async with running(told, clock):
        for _ in range(2000):  # more than a socket's queue takes
            await pass_seconds(clock, 0.5)
        told.stopping()


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "relative"])
async def test_without_a_unix_socket_there_is_nobody_to_tell(address: str) -> None:
    told = service_manager({"NOTIFY_SOCKET": address})
    await told.run(SystemClock(), is_serving=lambda: True, status=lambda: "serving")
    told.stopping()
