"""The attachments of a pod behave as if made one after the other, and undo what they did.

On steps that only write a log: kernel, binaries and waits are stood in for by their order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cni.native.engine import Engine
from cni.native.steps import (
    Attached,
    Awaited,
    InTurn,
    KernelStep,
    Settle,
    StepContext,
    Steps,
    Wait,
)
from cni.native.transaction import Work
from cni.net.workers import Worker
from planes.model.errors import Conflict, Internal
from tests.support.node.plugins import ipams

T = TypeVar("T")
_NO_WORKER: Any = None
_NO_LINK: Any = None


class Jobs:
    """Runs jobs in the event loop, and counts them."""

    settle_seconds = 5.0

    def __init__(self) -> None:
        self.count = 0

    async def run(
        self,
        job: Callable[[Worker], T],
        undo: Callable[[Worker, T], None] | None = None,
        *,
        waits: bool = False,
    ) -> T:
        self.count += 1
        return job(_NO_WORKER)


class Failing:
    """A probe that fails, or cancels, before the n-th step."""

    def __init__(self, at: int = -1, act: Callable[[], object] | None = None) -> None:
        self._left = at
        self._act = act

    def reached(self, boundary: str) -> None:
        self._left -= 1
        if self._left == -1 and self._act is not None:
            self._act()
        elif self._left == -1:
            raise Internal("cannot go on: the test says so")


@dataclass(frozen=True, slots=True)
class Log(KernelStep[None]):
    """A step in a thread."""

    text: str
    log: list[str] = field(hash=False)

    def do(self, context: StepContext) -> None:
        self.log.append(self.text)

    def undo(self, context: StepContext, done: None) -> None:
        self.log.remove(self.text)


@dataclass(frozen=True, slots=True)
class Detection(Settle):
    """Duplicate address detection that ends at its n-th look."""

    looks: list[int] = field(default_factory=list, hash=False)

    def is_over(self, context: StepContext) -> bool:
        self.looks[0] -= 1
        return self.looks[0] < 0


@dataclass
class Plan:
    """An attachment: what is done before it waits, for how many looks, and in its turn."""

    is_independent: bool
    before: list[str]
    looks: int | None
    after: list[str]


def _step(kind: str, text: str, log: list[str]) -> Steps[None]:
    if kind == "kernel":
        yield from Log(text, log)
    elif kind == "wait":
        yield from Wait(0.0)
        log.append(text)
    else:
        yield from Awaited(partial(_awaited, text, log), partial(_reverse, text, log))


async def _awaited(text: str, log: list[str]) -> None:
    await asyncio.sleep(0)
    log.append(text)


async def _reverse(text: str, log: list[str], _done: None) -> None:
    log.remove(text)


def attachment(number: int, plan: Plan, log: list[str], ends: list[int]) -> Steps[int]:
    for place, kind in enumerate(plan.before):
        yield from _step(kind, f"{number} before {place}", log)
    if plan.looks is not None:
        yield from Detection(_NO_LINK, [plan.looks])
    else:
        yield from InTurn()
    for place, kind in enumerate(plan.after):
        yield from _step(kind, f"{number} after {place}", log)
    yield from Attached()
    ends.append(number)
    return number


KINDS = st.lists(st.sampled_from(["kernel", "wait", "awaited"]), max_size=3)
PLANS = st.lists(
    st.builds(Plan, st.booleans(), KINDS, st.none() | st.integers(0, 3), KINDS), max_size=5
)


def engine(probe: Failing | None = None, jobs: Jobs | None = None) -> Engine:
    return Engine(jobs or Jobs(), ipams(), probe)


def works(plans: list[Plan], log: list[str], ends: list[int]) -> list[Work[int]]:
    return [
        Work(attachment(number, plan, log, ends), is_independent=plan.is_independent)
        for number, plan in enumerate(plans)
    ]


@given(PLANS)
@settings(max_examples=60, deadline=None)
def test_what_can_be_seen_comes_in_the_order_of_the_attachments(plans: list[Plan]) -> None:
    """Steps of a turn never overlap; first steps keep the order, too."""
    log: list[str] = []
    ends: list[int] = []
    made = works(plans, log, ends)
    asyncio.run(engine().run_all("", made))
    assert [one.result for one in made] == ends == list(range(len(plans)))
    for phase in ("before", "after"):
        seen = [line for line in log if phase in line]
        assert seen == sorted(seen)
    for number, plan in enumerate(plans):
        if not plan.is_independent and number:
            mine = [at for at, line in enumerate(log) if line.startswith(f"{number} ")]
            earlier = [at for at, line in enumerate(log) if int(line.split()[0]) < number]
            assert not mine or not earlier or max(earlier) < min(mine)


@given(PLANS, st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_a_failure_before_any_step_undoes_what_is_not_attached(plans: list[Plan], at: int) -> None:
    """What a finished attachment did is left to its DEL; `wait` leaves its line, as it has none."""
    log: list[str] = []
    ends: list[int] = []
    made = works(plans, log, ends)
    try:
        asyncio.run(engine(Failing(at)).run_all("", made))
    except Internal as error:
        failed = [number for number, one in enumerate(made) if one.failure is error]
        assert len(failed) == 1
    left = {int(line.split()[0]) for line in log if _is_undoable(line, plans)}
    assert left <= set(ends)


def _is_undoable(line: str, plans: list[Plan]) -> bool:
    number, phase, place = line.split()
    plan = plans[int(number)]
    return (plan.before if phase == "before" else plan.after)[int(place)] != "wait"


async def test_a_cancellation_before_any_step_undoes_what_is_not_attached() -> None:
    plans = [Plan(True, ["kernel", "awaited"], 2, ["kernel", "awaited"]) for _ in range(3)]
    at = 0
    while await _is_cancelled(plans, at):
        at += 1
    assert at > 15, "the steps were not seen"


async def _is_cancelled(plans: list[Plan], at: int) -> bool:
    log: list[str] = []
    ends: list[int] = []
    tasks: list[asyncio.Task[None]] = []

    def cancel() -> None:
        tasks[0].cancel()

    probe = Failing(at, cancel)
    tasks.append(asyncio.create_task(engine(probe).run_all("", works(plans, log, ends))))
    await asyncio.wait(tasks)
    assert {int(line.split()[0]) for line in log} <= set(ends), at
    return tasks[0].cancelled()


async def test_attachments_that_await_nothing_are_one_job() -> None:
    jobs = Jobs()
    plans = [Plan(False, ["kernel", "kernel"], 0, ["kernel"]) for _ in range(6)]
    await engine(jobs=jobs).run_all("", works(plans, [], []))
    assert jobs.count == 1


async def test_all_independent_attachments_wait_for_their_addresses_together() -> None:
    """The second one is begun while the first waits, and has settled when its turn comes."""
    log: list[str] = []
    plans = [Plan(True, ["kernel"], 3, ["kernel"]), Plan(True, ["kernel"], 0, ["kernel"])]
    await engine().run_all("", works(plans, log, []))
    assert log == ["0 before 0", "1 before 0", "0 after 0", "1 after 0"]


async def test_an_attachment_that_is_not_independent_waits_for_its_turn() -> None:
    log: list[str] = []
    plans = [Plan(True, ["kernel"], 3, ["kernel"]), Plan(False, ["kernel"], 0, ["kernel"])]
    await engine().run_all("", works(plans, log, []))
    assert log == ["0 before 0", "0 after 0", "1 before 0", "1 after 0"]


async def test_a_duplicate_address_fails_its_own_attachment() -> None:
    class Duplicate(Settle):
        def is_over(self, context: StepContext) -> bool:
            raise Conflict("cannot use address: somebody else has it")

    log: list[str] = []

    def duplicate() -> Steps[None]:
        yield from Log("made", log)
        yield from Duplicate(_NO_LINK)

    made: list[Work[Any]] = [*works([Plan(True, ["kernel"], 1, [])], log, []), Work(duplicate())]
    with pytest.raises(Conflict) as error:
        await engine().run_all("", made)
    assert [one.failure for one in made] == [None, error.value]
    assert log == ["0 before 0"]
