"""The daemon with a watcher that kills it at the n-th step of its first ADD.

`python -m tests.support.mortal N <flags of the daemon>`. Steps are what the runtime announces
(`cni.probe`), and the beginning and end of all kernel work, address book and status writes: the
watcher stands at the daemon's own seams and sends it SIGKILL.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from cni.__main__ import KERNEL_THREADS, machine, main
from cni.daemon import World
from cni.net.kernel import Kernel
from cni.net.workers import Worker
from cni.settings import Settings
from planes.model.addresses import IPAddress
from planes.model.objects import Pod
from planes.model.plane import Plane
from planes.model.result import Address
from planes.store.protocol import AddressBook, AddressOwner, Store

T = TypeVar("T")


class Reaper:
    """Counts steps from the first `called` on, and kills at one of them."""

    def __init__(self, at: int) -> None:
        self._at = at
        self._count = -1

    def reached(self, boundary: str) -> None:
        if self._count < 0 and boundary != "called":
            return
        self._count += 1
        if self._count == self._at:
            os.kill(os.getpid(), signal.SIGKILL)


class MortalKernel(Kernel):
    """Kernel work with a step before and after."""

    def __init__(self, reaper: Reaper) -> None:
        super().__init__(threads=KERNEL_THREADS)
        self._reaper = reaper

    async def run(
        self, job: Callable[[Worker], T], undo: Callable[[Worker, T], None] | None = None
    ) -> T:
        self._reaper.reached("kernel begins")
        done = await super().run(job, undo)
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


def mortal(at: int) -> Callable[[Settings, Mapping[str, str]], World]:
    """Make a world in which the n-th step of the first ADD is the last."""

    def make(settings: Settings, env: Mapping[str, str]) -> World:
        real = machine(settings, env)
        real.kernel.close()
        reaper = Reaper(at)
        store: Any = MortalStore(real.store, reaper)
        return World(store, MortalKernel(reaper), real.system, real.clock, reaper)

    return make


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:], os.environ, sys.stderr, mortal(int(sys.argv[1]))))
