"""The daemon with a watcher that ends it, or an ADD, at the n-th step.

`python -m tests.support.mortal HOW N <flags of the daemon>`. Steps are what the runtime announces
(`cni.probe`), and the beginning and end of all kernel work, address book and status writes: the
watcher stands at the daemon's own seams. HOW is `kill` (SIGKILL of the process), `fail` (an
error) or `cancel` (of the task that carries out the step).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from cni.__main__ import main
from cni.machine import KERNEL_THREADS, machine
from cni.net.kernel import Kernel
from cni.net.workers import Worker
from cni.settings import Settings
from cni.world import World
from planes.model.addresses import IPAddress
from planes.model.errors import Internal
from planes.model.objects import Pod
from planes.model.spec.plane import Plane
from planes.model.wire.result import Address
from planes.store.protocol import AddressBook, AddressOwner, Store

T = TypeVar("T")


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _fail() -> None:
    raise Internal("cannot go on: this is the step that fails")


def _cancel() -> None:
    task = asyncio.current_task()
    if task is not None:
        task.cancel()


ACTS: Mapping[str, Callable[[], None]] = {"kill": _kill, "fail": _fail, "cancel": _cancel}


class Reaper:
    """Counts the steps of each ADD, and acts at one of them: a later one in every ADD.

    Args:
        act: what happens there.
        at: the step of the first ADD.
    """

    def __init__(self, act: Callable[[], None], at: int) -> None:
        self._act = act
        self._at = at - 1
        self._count = -1
        self._is_armed = False

    def reached(self, boundary: str) -> None:
        if boundary == "called":
            self._at += 1
            self._count = -1
            self._is_armed = True
        if not self._is_armed:
            return
        self._count += 1
        if self._count == self._at:
            self._act()


class MortalKernel(Kernel):
    """Kernel work with a step before and after."""

    def __init__(self, reaper: Reaper) -> None:
        super().__init__(threads=KERNEL_THREADS)
        self._reaper = reaper

    async def run(
        self,
        job: Callable[[Worker], T],
        undo: Callable[[Worker, T], None] | None = None,
        *,
        waits: bool = False,
    ) -> T:
        self._reaper.reached("kernel begins")
        done = await super().run(job, undo, waits=waits)
        self._reaper.reached("kernel ended")
        return done


class MortalBook:
    """An address book with a step after each claim."""

    def __init__(self, book: AddressBook, reaper: Reaper) -> None:
        self._book = book
        self._reaper = reaper

    async def claim(
        self,
        plane: Plane,
        owner: AddressOwner,
        *,
        wanted: Sequence[IPAddress] = (),
        candidates: Sequence[IPAddress] = (),
    ) -> tuple[Address, ...]:
        given = await self._book.claim(plane, owner, wanted=wanted, candidates=candidates)
        self._reaper.reached("claimed")
        return given

    def __getattr__(self, name: str) -> Any:
        return getattr(self._book, name)


class MortalStore:
    """A store with a step before and after each status."""

    def __init__(self, store: Store, reaper: Reaper) -> None:
        self._store = store
        self._reaper = reaper
        self.addresses = MortalBook(store.addresses, reaper)

    async def put_status(self, pod: Pod, status: str) -> None:
        self._reaper.reached("status begins")
        await self._store.put_status(pod, status)
        self._reaper.reached("status ended")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def mortal(how: str, at: int) -> Callable[[Settings, Mapping[str, str]], World]:
    """Make a world in which the n-th step of the first ADD is the last."""

    def make(settings: Settings, env: Mapping[str, str]) -> World:
        real = machine(settings, env)
        real.kernel.close()
        reaper = Reaper(ACTS[how], at)
        store: Any = MortalStore(real.store, reaper)
        return World(
            store, MortalKernel(reaper), real.system, real.clock, reaper, real.files, boot=real.boot
        )

    return make


if __name__ == "__main__":
    how, at = sys.argv[1], int(sys.argv[2])
    sys.exit(main(sys.argv[3:], os.environ, sys.stderr, mortal(how, at)))
