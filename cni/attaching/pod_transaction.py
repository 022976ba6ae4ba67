"""The attachments of one pod, and the two writes of its journal entry, as one transaction.

Invariant: the entry is written before the first plugin runs. Nothing here is undone but steps of
plugins that are not done: the caller detaches what was begun.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from cni.attaching.attachment_steps import AttachmentSteps, is_independent
from cni.attaching.default_route import gateways_of
from cni.attaching.tenant_bridges import TenantBridges
from cni.journal.causes import Causes
from cni.journal.entry import Entry, Stage
from cni.journal.error_subject import errors_about
from cni.journal.journal import Journal
from cni.native.engine import Engine
from cni.native.steps import Blocking, Steps
from cni.native.transaction import Work
from cni.planning.plane_health import PlaneHealth
from cni.plugins.attachment import PlannedAttachment, in_order
from cni.plugins.chain import BoundChains
from cni.plugins.plugin import Call
from cni.plugins.probe import Probe
from planes.model.errors import PlanesError
from planes.model.wire.result import Result


@dataclass(frozen=True, slots=True)
class AttachFailures:
    """What the failure of an attachment is completed with, and counted by."""

    causes: Causes
    health: PlaneHealth

    @contextmanager
    def of(
        self, entry: Entry, ordered: Sequence[PlannedAttachment], place: int | None
    ) -> Iterator[None]:
        """Prefix and count errors of the block.

        Args:
            entry: the plan.
            ordered: its attachments, in order of their ADDs.
            place: of the one that failed; None where it was none of them.
        """
        if place is None:
            yield
            return
        one = ordered[place]
        with errors_about(one, entry, self.causes), self.health.watched(one, ordered[:place]):
            yield


class PodTransaction:
    """Carries out the attachments of an entry.

    Args:
        engine: carries out steps.
        steps: those of one attachment.
        journal: the entry is in it.
        bridges: removes idle bridges of tenants' networks; None keeps them.
        failures: complete and count errors.
        probe: is called behind the first write.
    """

    def __init__(
        self,
        engine: Engine,
        steps: AttachmentSteps,
        journal: Journal,
        bridges: TenantBridges | None,
        *,
        failures: AttachFailures,
        probe: Probe,
    ) -> None:
        self._engine = engine
        self._steps = steps
        self._journal = journal
        self._bridges = bridges
        self._failures = failures
        self._probe = probe

    async def attach(
        self,
        entry: Entry,
        calls: Mapping[str, Call],
        begun: set[str],
        writes: Callable[[], None] | None,
        bound: BoundChains,
    ) -> Entry:
        """Attach all networks; return the entry with the results.

        Args:
            entry: the plan.
            calls: by interface, with what was claimed.
            begun: is filled with the interfaces whose first plugin may have run.
            writes: writes the journal entry, before anything is attached; None where that is done.
            bound: the plugins of the attachments, without those that cannot be bound.

        Raises:
            PlanesError: the first failure, which names its attachment.
        """
        ordered = in_order(entry.attachments)
        works = [
            Work(
                self._steps.add(calls[one.ifname], one, begun, bound.get(one.ifname, ())),
                is_independent=bool(place) and is_independent(bound.get(one.ifname, ())),
            )
            for place, one in enumerate(ordered)
        ]

        done: list[Entry] = []

        def attached() -> Entry:
            if not done:
                pairs = zip(ordered, works, strict=True)
                done.append(with_results(entry, {one.ifname: work.result for one, work in pairs}))
            return done[0]

        all_works: list[Work[Any]] = list(works)
        if writes is not None:
            all_works.insert(0, Work(self._begin_steps(writes)))
            if not gateways_of(entry.attachments):
                all_works.append(Work(self._end_steps(attached)))
        try:
            async with self._watched_bridges(ordered):
                await self._engine.run_all(entry.netns, all_works)
        except PlanesError as error:
            failed = (place for place, work in enumerate(works) if work.failure is error)
            with self._failures.of(entry, ordered, next(failed, None)):
                raise
        return attached()

    def _begin_steps(self, writes: Callable[[], None]) -> Steps[None]:
        yield from Blocking(writes)
        self._probe.reached("journal.begun")

    def _end_steps(self, attached: Callable[[], Entry]) -> Steps[None]:
        yield from Blocking(lambda: self._journal.write_stage(attached()))

    def _watched_bridges(
        self, attachments: Sequence[PlannedAttachment]
    ) -> AbstractAsyncContextManager[None]:
        return nullcontext() if self._bridges is None else self._bridges.watched(attachments)


def with_results(entry: Entry, results: Mapping[str, Result]) -> Entry:
    """Return an entry as attached, with results by interface."""
    return replace(
        entry,
        stage=Stage.ATTACHED,
        attachments=tuple(replace(one, result=results[one.ifname]) for one in entry.attachments),
    )
