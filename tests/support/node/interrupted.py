"""The daemon with a watcher that ends it, or an ADD, at the n-th step.

`python -m tests.support.node.interrupted HOW N <flags of the daemon>`. Steps are what the runtime
announces (`cni.plugins.probe`), and the beginning and end of all kernel work, address book and
status writes: the watcher stands at the daemon's own seams. HOW is `kill` (SIGKILL of the process),
`fail` (an error) or `cancel` (of the task that carries out the step).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from cni.__main__ import main
from cni.environment import KERNEL_THREADS, Environment, machine, node_kernel
from cni.net.kernel import Kernel
from cni.net.workers import Worker
from cni.settings import Settings
from planes.model.addresses import IPAddress
from planes.model.errors import Internal
from planes.model.objects import Pod
from planes.model.spec.plane_spec import Plane
from planes.model.wire.result import Address
from planes.store.protocol import AddressBook, AddressOwner, ClaimReference, Store

T = TypeVar("T")


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _fail() -> None:
    raise Internal("cannot go on: this is the step that fails")


ACTS: Mapping[str, Callable[[], None] | None] = {"kill": _kill, "fail": _fail, "cancel": None}


class Interrupter:
    """Counts the steps of each ADD, and acts at one of them: a later one in every ADD.

    Args:
        act: what happens there; None cancels the call, also from a kernel thread.
        at: the step of the first ADD.
    """

    def __init__(self, act: Callable[[], None] | None, at: int) -> None:
        self._act = act
        self._call: asyncio.Task[Any] | None = None
        self._at = at - 1
        self._count = -1
        self._is_armed = False

    def reached(self, boundary: str) -> None:
        if boundary == "called":
            self._at += 1
            self._count = -1
            self._is_armed = True
            self._call = asyncio.current_task()
        if not self._is_armed:
            return
        self._count += 1
        if self._count == self._at and self._act is not None:
            self._act()
        elif self._count == self._at and self._call is not None:
            self._call.get_loop().call_soon_threadsafe(self._call.cancel)


class InterruptedKernel(Kernel):
    """Kernel work with a step before and after."""

    def __init__(self, interrupter: Interrupter) -> None:
        super().__init__(threads=KERNEL_THREADS)
        self._interrupter = interrupter

    async def run(
        self,
        job: Callable[[Worker], T],
        undo: Callable[[Worker, T], None] | None = None,
        *,
        waits: bool = False,
    ) -> T:
        self._interrupter.reached("kernel begins")
        done = await super().run(job, undo, waits=waits)
        self._interrupter.reached("kernel ended")
        return done


class InterruptedBook:
    """An address book with a step after each claim."""

    def __init__(self, book: AddressBook, interrupter: Interrupter) -> None:
        self._book = book
        self._interrupter = interrupter

    async def claim(
        self,
        plane: Plane,
        owner: AddressOwner,
        *,
        wanted: Sequence[IPAddress] = (),
        candidates: Sequence[IPAddress] = (),
        reference: ClaimReference | None = None,
    ) -> tuple[Address, ...]:
        given = await self._book.claim(
            plane, owner, wanted=wanted, candidates=candidates, reference=reference
        )
        self._interrupter.reached("claimed")
        return given

    def __getattr__(self, name: str) -> Any:
        return getattr(self._book, name)


class InterruptedStore:
    """A store with a step before and after each status."""

    def __init__(self, store: Store, interrupter: Interrupter) -> None:
        self._store = store
        self._interrupter = interrupter
        self.addresses = InterruptedBook(store.addresses, interrupter)

    async def put_status(self, pod: Pod, status: str) -> None:
        self._interrupter.reached("status begins")
        await self._store.put_status(pod, status)
        self._interrupter.reached("status ended")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def interrupted(how: str, at: int) -> Callable[[Settings, Mapping[str, str]], Environment]:
    """Make an environment in which the n-th step of the first ADD is the last."""

    def make(settings: Settings, env: Mapping[str, str]) -> Environment:
        real = machine(settings, env)
        real.kernel.close(0.0)
        interrupter = Interrupter(ACTS[how], at)
        store: Any = InterruptedStore(real.store, interrupter)
        kernel = node_kernel(InterruptedKernel(interrupter), settings, real.clock)
        return replace(real, store=store, kernel=kernel, probe=interrupter)

    return make


if __name__ == "__main__":
    how, at = sys.argv[1], int(sys.argv[2])
    sys.exit(main(sys.argv[3:], os.environ, sys.stderr, interrupted(how, at)))
