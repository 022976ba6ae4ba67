"""Containment: every process that a plugin left is killed, and no other."""

from __future__ import annotations

import asyncio
import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cni.host.containment import Containment, adopt_orphans
from cni.host.exec import SystemExec
from cni.host.previous_run import kill_previous
from cni.host.processes import _with_parent, read_process
from planes.model.errors import Unavailable
from planes.run.clock import SystemClock
from tests.support.node.scripts import write_plugin

OWNER = "np-t-contain"
# Each leaves a process that writes its pid, in a way of its own.
LEAVERS = {
    "in its group": "sleep 300 > /dev/null 2>&1 & echo $! > {pid}",
    "in a session of its own": "setsid sh -c 'echo $$ > {pid}; exec sleep 300' > /dev/null 2>&1 &",
    "forked twice": (
        "setsid sh -c '(setsid sh -c \"echo \\$\\$ > {pid}; exec sleep 300\" &) ; exit 0' "
        "> /dev/null 2>&1"
    ),
    "without its environment": (
        "env -i setsid sh -c 'echo $$ > {pid}; exec sleep 300' > /dev/null 2>&1 &"
    ),
}
WAIT_FOR_PID = "while [ ! -s {pid} ]; do sleep 0.01; done"


@pytest.fixture
def adopting() -> Iterator[None]:
    adopt_orphans()
    yield
    ctypes.CDLL(None).prctl(36, 0, 0, 0, 0)


def programs(unfinished: Path | None = None) -> SystemExec:
    return SystemExec(dict(os.environ), SystemClock(), "", Containment(OWNER, unfinished))


def leaver(directory: Path, how: str, then: str = "") -> tuple[str, Path]:
    pid = directory / "pid"
    text = "\n".join(line.format(pid=pid) for line in (LEAVERS[how], WAIT_FOR_PID, then))
    return str(write_plugin(directory, "leaver", text)), pid


def is_alive(pid: int) -> bool:
    found = read_process(pid)
    return found is not None and found.state != "Z"


def _has_mark(pid: int) -> bool:
    """Report whether a program's environment can be seen: a moment after Popen returns."""
    return b"NETPLANE_EXEC" in Path(f"/proc/{pid}/environ").read_bytes()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("how", LEAVERS)
async def test_what_outlives_a_plugin_that_ended_is_killed_and_reaped(
    tmp_path: Path, adopting: None, how: str
) -> None:
    path, pid = leaver(tmp_path, how)
    done = await programs().run(path, {}, b"", 20)
    assert done.code == 0
    assert read_process(int(pid.read_text())) is None


@pytest.mark.parametrize("how", LEAVERS)
async def test_what_outlives_a_plugin_that_was_killed_is_killed_too(
    tmp_path: Path, adopting: None, how: str
) -> None:
    path, pid = leaver(tmp_path, how, "exec sleep 300")
    with pytest.raises(Unavailable, match="did not end"):
        await programs().run(path, {}, b"", 3)
    assert read_process(int(pid.read_text())) is None


async def test_what_keeps_a_plugins_output_open_ends_at_the_deadline(
    tmp_path: Path, adopting: None
) -> None:
    """Whoever waits for the end of the output waits for it, and it left group and session."""
    text = f"setsid sh -c 'echo $$ > {tmp_path}/pid; exec sleep 300' &"
    path = str(write_plugin(tmp_path, "leaver", text))
    async with asyncio.timeout(20):
        with pytest.raises(Unavailable, match="did not end"):
            await programs().run(path, {}, b"", 3)
    assert read_process(int((tmp_path / "pid").read_text())) is None


async def test_plugins_that_run_beside_it_are_left_alone(tmp_path: Path, adopting: None) -> None:
    """With their children, with their orphans, and with those that took their mark off."""
    system = programs()
    tasks, pids = [], []
    for number, how in enumerate(LEAVERS):
        path, pid = leaver(tmp_path / str(number), how, "while [ -s {pid} ]; do sleep 0.05; done")
        tasks.append(asyncio.create_task(system.run(path, {}, b"", 60)))
        pids.append(pid)
    await until(lambda: all(pid.exists() and pid.read_text().strip() for pid in pids))
    left = [int(pid.read_text()) for pid in pids]
    (tmp_path / "other").mkdir()
    path, pid = leaver(tmp_path / "other", "forked twice")
    await system.run(path, {}, b"", 20)
    assert not is_alive(int(pid.read_text()))
    assert all(map(is_alive, left))
    for pid in pids:
        pid.write_text("")
    assert all(done.code == 0 for done in await asyncio.gather(*tasks))
    assert not any(map(is_alive, left))


async def test_on_one_machine_a_plugin_may_leave_a_daemon(tmp_path: Path, adopting: None) -> None:
    """As podman's dnsname leaves dnsmasq."""
    running = tmp_path / "running"
    system = programs(running)
    path, pid = leaver(tmp_path, "in a session of its own")
    await system.run(path, {}, b"", 20)
    assert list(running.iterdir()) == []
    assert kill_previous(OWNER, running) == 0
    assert is_alive(int(pid.read_text()))
    (tmp_path / "late").mkdir()
    late, _ = leaver(tmp_path / "late", "in a session of its own", "exec sleep 300")
    with pytest.raises(Unavailable):
        await system.run(late, {}, b"", 1)
    assert is_alive(int(pid.read_text()))
    os.kill(int(pid.read_text()), 9)
    await until(lambda: not is_alive(int(pid.read_text())))
    await system.run("/bin/true", {}, b"", 20)
    assert read_process(int(pid.read_text())) is None, "it is reaped"


async def test_other_children_of_the_process_are_none_of_its_business(
    tmp_path: Path, adopting: None
) -> None:
    with subprocess.Popen(["sleep", "300"]) as mine:
        path, _ = leaver(tmp_path, "forked twice")
        await programs().run(path, {}, b"", 20)
        assert mine.poll() is None
        mine.kill()


async def test_halted_it_kills_what_runs_and_starts_nothing(tmp_path: Path) -> None:
    system = programs()
    path = str(write_plugin(tmp_path, "hang", f"echo $$ > {tmp_path}/pid; exec sleep 300"))
    task = asyncio.create_task(system.run(path, {}, b"", 60))
    await until((tmp_path / "pid").exists)
    system.halt()
    with pytest.raises(Unavailable, match="is stopping"):
        await task
    with pytest.raises(Unavailable, match="is stopping"):
        await system.run(path, {}, b"", 60)


def test_plugins_of_an_earlier_run_are_killed(tmp_path: Path) -> None:
    """The daemon was killed with -9: nobody was left to kill what it ran."""
    mark = {**os.environ, "NETPLANE_EXEC": f"{OWNER}.1.1"}
    other = {**os.environ, "NETPLANE_EXEC": f"{OWNER}2.1.1"}
    sleeper = [sys.executable, "-c", "import time; time.sleep(300)"]
    with subprocess.Popen(sleeper, env=mark) as ours, subprocess.Popen(sleeper, env=other) as not_:
        begun = time.monotonic()
        assert kill_previous(OWNER) == 1
        assert time.monotonic() - begun < 5
        assert ours.wait(5) == -9
        assert not_.poll() is None
        not_.kill()


async def test_of_an_earlier_run_only_unfinished_plugins_are_killed_where_daemons_may_stay(
    tmp_path: Path,
) -> None:
    sleeper = [sys.executable, "-c", "import time; time.sleep(300)"]
    (tmp_path / f"{OWNER}.1.1").touch()
    with (
        subprocess.Popen(sleeper, env={"NETPLANE_EXEC": f"{OWNER}.1.1"}) as hung,
        subprocess.Popen(sleeper, env={"NETPLANE_EXEC": f"{OWNER}.1.2"}) as daemon,
    ):
        assert kill_previous(OWNER, tmp_path) == 1
        assert hung.wait(5) == -9
        assert daemon.poll() is None
        daemon.kill()
    await until(lambda: list(tmp_path.iterdir()) == [])


async def test_names_of_unfinished_plugins_stay_until_those_are_gone(tmp_path: Path) -> None:
    """Whoever is killed between the two leaves them to the next; what is no name is passed over."""
    (tmp_path / "0").mkdir()
    (tmp_path / f"{OWNER}.1.1").touch()
    sleeper = [sys.executable, "-c", "import time; time.sleep(300)"]
    with subprocess.Popen(sleeper, env={"NETPLANE_EXEC": f"{OWNER}.1.1"}) as hung:
        await until(lambda: _has_mark(hung.pid))
        assert kill_previous(OWNER, tmp_path) == 1
        assert hung.wait(5) == -9
    await until(lambda: [path.name for path in tmp_path.iterdir()] == ["0"])


def test_children_are_found_where_the_kernel_does_not_list_them() -> None:
    with subprocess.Popen(["sleep", "300"]) as child:
        assert child.pid in _with_parent(os.getpid())
        child.kill()
