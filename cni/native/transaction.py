"""How far the steps of a pod's attachments have come, and what is to be undone.

A transaction is carried out by jobs of kernel threads; each job goes on until something has to be
awaited. Invariant: attachments behave as if made one after the other. A later one is begun before
its turn only where that cannot be seen (`Work.is_independent`), while those before it wait for
answers to probes or for duplicate address detection; it adds no route and runs no further plugin
before its turn.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, Generic, TypeVar, cast

from cni.ipam.ipams import Ipams, LocalIpam
from cni.native.steps import (
    Attached,
    Awaited,
    InTurn,
    KernelStep,
    Polled,
    ReleaseAddresses,
    Settle,
    Step,
    StepContext,
    Steps,
    TakeAddresses,
    Wait,
)
from cni.net.workers import Worker
from cni.plugins.probe import Probe
from planes.model.errors import Internal

T = TypeVar("T")

_SETTLE_STEP: Final = Wait(0.05)
Done = tuple[Step[Any], Any]


class Work(Generic[T]):
    """The steps of one attachment.

    Args:
        steps: a generator of them.
        is_independent: up to its `Settle` it neither uses nor changes what another attachment of
            the pod has made; False where that is not known.

    Attributes:
        done: the steps to undo where it fails, with their answers.
        parked: the step that it waits at; None where it can go on.
        is_made: it makes no more links and takes no more addresses.
        is_over: all its steps were carried out.
        failure: the error that ended its steps.
        until: when its wait for addresses is given up (`time.monotonic`).
    """

    def __init__(self, steps: Steps[T], *, is_independent: bool = False) -> None:
        self._steps = steps
        self._next: Any = None
        self._error: Exception | None = None
        self._result: T | None = None
        self.is_independent = is_independent
        self.done: list[Done] = []
        self.parked: Step[Any] | None = None
        self.is_made = False
        self.is_over = False
        self.failure: Exception | None = None
        self.until = 0.0

    @property
    def result(self) -> T:
        """What the steps result in, once they are over."""
        return cast("T", self._result)

    def answer(self, step: Step[Any], answer: Any) -> None:
        """Go on after a step that was done, with what came of it."""
        if _is_undoable(step):
            self.done.append((step, answer))
        self.parked, self._next = None, answer

    def fail(self, error: Exception) -> None:
        """Go on with an error, which the steps may handle."""
        self.parked, self._error = None, error

    def resume(self) -> Step[Any] | None:
        """Return the next step; None at the end."""
        error, answer = self._error, self._next
        self._error = self._next = None
        try:
            return self._steps.send(answer) if error is None else self._steps.throw(error)
        except StopIteration as end:
            self._result = end.value
            self.is_over = True
            return None
        except Exception as failure:
            self.failure = failure
            raise

    def close(self) -> None:
        """End the steps where they are."""
        self._steps.close()


class Transaction:
    """The attachments of one pod, in order.

    Args:
        works: the attachments.
        netns: path of the sandbox's namespace, "" for none.
        ipams: give and release addresses.
        settle_seconds: the longest that new IPv6 addresses may take to settle.
        probe: is called before each step.
    """

    def __init__(
        self,
        works: Sequence[Work[Any]],
        netns: str,
        ipams: Ipams,
        settle_seconds: float,
        probe: Probe,
    ) -> None:
        self._works = works
        self._left = list(works)
        self._netns = netns
        self._ipams = ipams
        self._settle_seconds = settle_seconds
        self._probe = probe

    def advance(self, worker: Worker) -> tuple[Work[Any], Step[Any]] | None:
        """Carry out steps in a kernel thread; return the first to be awaited, None at the end.

        Raises:
            PlanesError: one failed, and its type does not handle it.
        """
        context = self.context(worker)
        try:
            while self._left:
                first = self._left[0]
                context.is_in_turn = True
                if self._goes_through(first, context):
                    self._left.pop(0)
                    continue
                step = first.parked
                if isinstance(step, Settle | Polled | Wait):
                    self._begin_others(context)
                    step = step if isinstance(step, Wait) else _SETTLE_STEP
                return first, cast("Step[Any]", step)
        finally:
            context.close()
        return None

    def _begin_others(self, context: StepContext) -> None:
        context.is_in_turn = False
        for before, one in pairwise(self._left):
            if not (before.is_made and one.is_independent):
                return
            self._goes_through(one, context)

    def _goes_through(self, work: Work[Any], context: StepContext) -> bool:
        """Carry out the steps of a work; return False where it has to wait."""
        while not work.is_over:
            if work.parked is not None and not self._unparks(work, context):
                return False
            step = work.resume()
            if step is None:
                break
            try:
                self._probe.reached(f"step:{type(step).__name__}")
                self._carry_out(work, step, context)
            except Exception as error:
                work.fail(error)
        return True

    def _carry_out(self, work: Work[Any], step: Step[Any], context: StepContext) -> None:
        """Do a step, or leave the work parked at it."""
        work.is_made = work.is_made or step.ends_making
        match step:
            case KernelStep():
                work.answer(step, step.do(context))
            case Attached():
                work.done.clear()
                work.answer(step, None)
            case TakeAddresses(call=call, conf=conf) if (local := self._ready(step)) is not None:
                work.answer(step, local.take(call, conf))
            case ReleaseAddresses(call=call, conf=conf) if (
                local := self._ipams.local(conf)
            ) is not None:
                local.give_back(call, conf)
                work.answer(step, None)
            case _:
                work.parked = step
                work.until = time.monotonic() + self._settle_seconds

    def _unparks(self, work: Work[Any], context: StepContext) -> bool:
        step = work.parked
        if isinstance(step, Polled):
            return _is_over(work, step, context)
        if not context.is_in_turn:
            return False
        if isinstance(step, InTurn):
            work.answer(step, None)
            return True
        if not isinstance(step, Settle):
            return False
        try:
            is_late = time.monotonic() >= work.until
            if not step.is_over(context) and not is_late:
                return False
            work.answer(step, is_late)
        except Exception as error:
            work.fail(error)
        return True

    def undone(self) -> list[Done]:
        """End all steps; return what is to be undone, in order, addresses last."""
        for one in self._works:
            one.close()
        backwards = [each for one in reversed(self._works) for each in one.done[::-1]]
        return sorted(backwards, key=lambda each: each[0].is_undone_last)

    def undo(self, step: Step[Any], answer: Any, context: StepContext) -> None:
        """Undo a step in a kernel thread."""
        if isinstance(step, TakeAddresses):
            local = self._ready(step)
            if local is None:
                raise Internal("cannot release addresses in a thread: they must be awaited")
            local.give_back(step.call, step.conf)
        elif isinstance(step, KernelStep):
            step.undo(context, answer)

    def is_kernel_step(self, step: Step[Any]) -> bool:
        """Report whether a step is undone in a kernel thread."""
        if isinstance(step, TakeAddresses):
            return self._ready(step) is not None
        return isinstance(step, KernelStep)

    def context(self, worker: Worker) -> StepContext:
        """Return the context of one job; the caller closes it at the end of the job."""
        return StepContext(worker, self._netns, self._settle_seconds)

    def _ready(self, step: TakeAddresses) -> LocalIpam | None:
        return self._ipams.ready(step.call, step.conf)


def _is_over(work: Work[Any], step: Polled[Any], context: StepContext) -> bool:
    """Look at a step; go on where it is over, or has failed."""
    try:
        answer = step.look(context)
    except Exception as error:
        work.fail(error)
        return True
    if answer is not None:
        work.answer(step, answer)
    return answer is not None


def _is_undoable(step: Step[Any]) -> bool:
    match step:
        case TakeAddresses():
            return True
        case Awaited(reverse=reverse):
            return reverse is not None
    return isinstance(step, KernelStep) and type(step).undo is not KernelStep.undo
