"""Carries out the steps of native plugins: those of a pod's attachments in one job where it can.

A step that has to be awaited ends the job; the next one goes on in a new job. Invariant: where a
step fails, or the caller is cancelled, every step that was done is undone in reverse order before
`run` raises, and addresses are released last, so that no address in use is assigned anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from typing import Any, Protocol, TypeVar

from cni.ipam.ipams import Ipams
from cni.native.steps import (
    AddressesReady,
    Awaited,
    CheckAddresses,
    ReleaseAddresses,
    ReplaceAddresses,
    Step,
    Steps,
    TakeAddresses,
    Wait,
)
from cni.native.transaction import Done, Transaction, Work
from cni.net.errors import MissingNetns
from cni.net.workers import Worker
from cni.plugins.probe import NoProbe, Probe
from planes.model.errors import Internal, PlanesError
from planes.run.shielded import shielded

_log = logging.getLogger(__name__)

T = TypeVar("T")


class KernelJobs(Protocol):
    """The part of the kernel that the engine needs.

    Attributes:
        settle_seconds: the longest that new IPv6 addresses may take to settle.
    """

    settle_seconds: float

    async def run(
        self,
        job: Callable[[Worker], T],
        undo: Callable[[Worker, T], None] | None = None,
        *,
        waits: bool = False,
    ) -> T:
        """Run a job in a kernel thread, to its end."""
        ...


class Engine:
    """Carries out steps.

    Args:
        kernel: has the threads.
        ipams: give and release the addresses.
        probe: is called before each step.
    """

    def __init__(self, kernel: KernelJobs, ipams: Ipams, probe: Probe | None = None) -> None:
        self._kernel = kernel
        self._ipams = ipams
        self._probe = NoProbe() if probe is None else probe

    async def run(self, netns: str, steps: Steps[T]) -> T:
        """Carry out the steps of one plugin; return what they result in.

        Args:
            netns: path of the sandbox's network namespace, "" for none.
            steps: of a type.

        Raises:
            PlanesError: a step failed; those before it are undone.
        """
        work = Work(steps)
        await self.run_all(netns, [work])
        return work.result

    async def run_all(self, netns: str, works: Sequence[Work[Any]]) -> None:
        """Carry out the attachments of a pod, as if one after the other.

        Args:
            netns: path of the sandbox's network namespace, "" for none.
            works: in order; they have the results.

        Raises:
            PlanesError: a step failed, and `Work.failure` of its attachment is the error. What
                plugins did that have ended with `Attached` is left; all else is undone.
        """
        begun = self.begin(netns, works)
        await self.go_on(begun, await self._first(begun))

    def begin(self, netns: str, works: Sequence[Work[Any]]) -> Transaction:
        """Return a transaction of which no step is carried out yet."""
        return Transaction(works, netns, self._ipams, self._kernel.settle_seconds, self._probe)

    async def go_on(
        self, transaction: Transaction, pending: tuple[Work[Any], Step[Any]] | None
    ) -> None:
        """Carry out what is left of a transaction.

        Args:
            transaction: has been advanced.
            pending: what `Transaction.advance` returned.

        Raises:
            PlanesError: a step failed; those that can be undone are.
        """
        try:
            while pending is not None:
                work, step = pending
                try:
                    answer = await self._awaited(step)
                except PlanesError as error:
                    work.fail(error)
                else:
                    if step is work.parked:
                        work.answer(step, answer)
                pending = await self._kernel.run(transaction.advance)
        except BaseException:
            await shielded(self._undo(transaction))
            raise

    async def _first(self, transaction: Transaction) -> tuple[Work[Any], Step[Any]] | None:
        try:
            return await self._kernel.run(transaction.advance)
        except BaseException:
            await shielded(self._undo(transaction))
            raise

    async def _awaited(self, step: Step[Any]) -> Any:
        match step:
            case Awaited(work=work):
                return await work()
            case Wait(seconds=seconds):
                return await asyncio.sleep(seconds)
            case _:
                return await self._from_ipams(step)

    async def _from_ipams(self, step: Step[Any]) -> Any:
        match step:
            case TakeAddresses(call=call, conf=conf):
                return await self._ipams.add(call, conf)
            case ReplaceAddresses(call=call, conf=conf):
                return await self._ipams.replace(
                    call, conf, step.found, step.answered, is_final=step.is_final
                )
            case ReleaseAddresses(call=call, conf=conf):
                return await self._ipams.release(call, conf)
            case CheckAddresses(call=call, conf=conf):
                return await self._ipams.check(call, conf)
            case AddressesReady(call=call, conf=conf):
                return await self._ipams.status(call, conf)
            case _:
                raise Internal(f"cannot carry out a step of type {type(step).__name__}")

    async def _undo(self, transaction: Transaction) -> None:
        for is_kernel, group in groupby(
            transaction.undone(), lambda one: transaction.is_kernel_step(one[0])
        ):
            steps = list(group)
            if is_kernel:
                await self._kernel.run(partial(_undo_steps, transaction, steps), waits=True)
                continue
            for step, answer in steps:
                with _undoing(step):
                    await self._undo_awaited(step, answer)

    async def _undo_awaited(self, step: Step[Any], answer: Any) -> None:
        match step:
            case Awaited(reverse=reverse) if reverse is not None:
                await reverse(answer)
            case TakeAddresses(call=call, conf=conf):
                await self._ipams.release(call, conf)


def _undo_steps(transaction: Transaction, steps: Sequence[Done], worker: Worker) -> None:
    """Undo kernel steps, in the order given; one that fails is logged and stops no other."""
    context = transaction.context(worker)
    try:
        for step, answer in steps:
            with _undoing(step):
                transaction.undo(step, answer, context)
    finally:
        context.close()


@contextmanager
def _undoing(step: Step[Any]) -> Iterator[None]:
    """Log what a failed undo leaves behind; what the sandbox took with it is no fault."""
    try:
        yield
    except MissingNetns:
        return
    except Exception:
        _log.exception("cannot undo a step", extra={"step": type(step).__name__})
