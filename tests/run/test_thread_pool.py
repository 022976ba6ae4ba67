"""Threads that hang: other work goes on, they are reported, and the end does not wait for them."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from planes.run.jobs import start
from planes.run.thread_pool import ThreadPool
from planes.run.worker_threads import describe_stuck


class Fifo:
    """A FIFO nobody writes to: whoever opens it hangs in the system call."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self._path = path

    def hang(self) -> None:
        with self._path.open("rb"):
            pass

    def let_go(self) -> None:
        while True:
            try:
                os.close(os.open(self._path, os.O_WRONLY | os.O_NONBLOCK))
            except OSError:  # nobody hangs
                return


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Fifo]:
    made = Fifo(tmp_path / "fifo")
    yield made
    made.let_go()


async def test_work_goes_on_while_all_threads_hang(fifo: Fifo) -> None:
    threads = ThreadPool(2, "t")
    hanging = [start(fifo.hang, threads) for _ in range(5)]
    async with asyncio.timeout(10):
        assert await start(lambda: "done", threads) == "done"
    assert not any(one.done() for one in hanging)
    fifo.let_go()
    threads.shutdown()


async def test_spare_threads_are_bounded_and_go_again(fifo: Fifo) -> None:
    threads = ThreadPool(2, "spare")
    hanging = [start(fifo.hang, threads) for _ in range(40)]
    async with asyncio.timeout(15):
        while _count("spare") < 2 + 8:
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.6)
    assert _count("spare") == 2 + 8
    for _ in range(200):
        fifo.let_go()
        if all(one.done() for one in hanging):
            break
        await asyncio.sleep(0.05)
    for _ in range(10):
        await start(lambda: None, threads)
    assert _count("spare") <= 10
    threads.shutdown()
    assert _count("spare") == 0


async def test_it_is_told_where_threads_hang(fifo: Fifo) -> None:
    threads = ThreadPool(2, "t")
    assert describe_stuck(threads.stuck(0.0)) == ""
    start(fifo.hang, threads)
    start(fifo.hang, threads)
    async with asyncio.timeout(10):
        while len(threads.stuck(0.05)) < 2:
            await asyncio.sleep(0.02)
    text = describe_stuck(threads.stuck(0.05))
    assert re.match(r"2 threads hang, for \d+ s in tests\.run\.test_thread_pool\.hang", text)
    assert threads.stuck(60) == []
    fifo.let_go()
    threads.shutdown()


async def test_results_errors_and_an_event_loop_work_as_with_any_executor() -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPool(2, "loop"))
    assert await asyncio.to_thread(lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        await asyncio.to_thread(lambda: 1 // 0)


def test_a_process_ends_although_a_thread_hangs(fifo: Fifo, tmp_path: Path) -> None:
    code = f"""
import asyncio
from planes.run.jobs import start
from planes.run.thread_pool import ThreadPool
async def main():
    asyncio.get_running_loop().set_default_executor(ThreadPool(1, "loop"))
    start(lambda: open({str(tmp_path / "fifo")!r}))
    await asyncio.sleep(0.1)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=20)
    assert done.returncode == 0


def _count(name: str) -> int:
    return sum(thread.name == name for thread in threading.enumerate())
