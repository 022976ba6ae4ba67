"""Detach the attachments of a journal entry: for DEL, GC, rollback of ADD and reconcile.

Only the journaled entry is needed, neither the pod nor its network namespace, and detaching may be
repeated. Links of native plugins are removed as one group, since the kernel makes each removal
wait for a grace period (5-20 ms); in the same job of one thread, what need not be awaited is
released (files of addresses).

Invariant: one attachment that fails, or exceeds the deadline, does not keep the others from being
detached; addresses are released only after their link is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from cni.attaching.attachment_teardown import AttachmentTeardown
from cni.attaching.deadline import Deadline
from cni.attaching.held_addresses import HeldAddresses
from cni.journal.entry import Entry
from cni.native.engine import Engine
from cni.net.kernel import AfterRemoval
from cni.net.workers import Worker
from cni.plugins.attachment import PlannedAttachment, in_order
from cni.plugins.chain import Chains
from cni.plugins.probe import Probe
from planes.model.errors import PlanesError

_BEFORE_LINKS: Final = 0.75  # share of the time for plugins that run before links are removed


class LinkRemover(Protocol):
    """The part of the kernel that detaching needs."""

    async def remove_links(
        self, netns: str, names: Sequence[str], then: AfterRemoval | None = None
    ) -> None:
        """Remove links as one group; missing links and a missing namespace are no error.

        Args:
            netns: path of the sandbox's namespace, "" where it is gone.
            names: of the links.
            then: called in the same kernel thread, with the error of the removal.
        """
        ...


@dataclass(frozen=True, slots=True)
class Failure:
    """An attachment that could not be detached completely.

    Attributes:
        attachment: the attachment.
        error: why.
        needs_sandbox: true where a retry can succeed only while the sandbox exists.
    """

    attachment: PlannedAttachment
    error: PlanesError
    needs_sandbox: bool


class Detacher:
    """Detaches the attachments of a journal entry."""

    def __init__(
        self,
        chains: Chains,
        engine: Engine,
        holds: HeldAddresses,
        kernel: LinkRemover,
        probe: Probe,
    ) -> None:
        self._chains = chains
        self._engine = engine
        self._holds = holds
        self._kernel = kernel
        self._probe = probe

    async def detach(
        self,
        entry: Entry,
        netns: str,
        within: float | None = None,
        at_end: Callable[[], None] | None = None,
    ) -> tuple[Failure, ...]:
        """Detach an entry's attachments; return what failed, in their order.

        Args:
            entry: what was attached, wholly or in part.
            netns: path of the sandbox's network namespace, "" where it is gone.
            within: seconds after which a plugin that hangs is a failure; None waits for ever.
            at_end: called in a kernel thread where everything is detached there.
        """
        teardowns = [
            AttachmentTeardown(entry.call(one, netns), one, self._chains, self._engine)
            for one in entry.attachments
        ]
        for one in teardowns:
            one.bind()
        ordered = _in_reverse(teardowns)
        deadline = Deadline(within)
        await _in_turn(ordered, deadline.part(_BEFORE_LINKS))
        await self._remove_links(netns, ordered, at_end)
        self._probe.reached("links.removed")
        await _concurrently(ordered, deadline)
        await self._release_held(teardowns)
        return tuple(
            Failure(one.attachment, one.error, one.needs_sandbox)
            for one in teardowns
            if one.error is not None
        )

    async def _release_held(self, teardowns: Sequence[AttachmentTeardown]) -> None:
        """Release the addresses held for attachments that are detached."""
        for one in teardowns:
            if one.error is None:
                try:
                    await self._holds.release(one.call, one.attachment)
                except PlanesError as error:
                    one.error = error

    async def _remove_links(
        self,
        netns: str,
        teardowns: Sequence[AttachmentTeardown],
        at_end: Callable[[], None] | None,
    ) -> None:
        """Remove all links as one group, and release what need not be awaited, in one job."""
        intact = [one for one in teardowns if one.error is None]
        names = [name for one in intact for name in one.links] if netns else []

        def release(worker: Worker, error: PlanesError | None) -> None:
            for one in intact:
                if error is not None and one.links:
                    one.error, one.needs_sandbox = error, True
                elif one.is_local():
                    self._probe.reached(f"release:{one.attachment.ifname}")
                    one.advance(worker)
            if at_end is not None and all(one.is_detached() for one in teardowns):
                at_end()

        if not names and not any(one.is_local() for one in intact):
            return
        try:
            await self._kernel.remove_links(netns, tuple(dict.fromkeys(names)), release)
        except PlanesError as error:
            for one in intact:
                if one.error is None:
                    one.error, one.needs_sandbox = error, bool(one.links)


def _in_reverse(teardowns: Sequence[AttachmentTeardown]) -> list[AttachmentTeardown]:
    """Return the teardowns in the reverse of the order of ADD."""
    by_attachment = {id(one.attachment): one for one in teardowns}
    ordered = in_order(one.attachment for one in teardowns)
    return [by_attachment[id(one)] for one in reversed(ordered)]


async def _in_turn(teardowns: Sequence[AttachmentTeardown], deadline: Deadline) -> None:
    """Run the plugins before the links are removed, one after the other.

    A bond, for example, must release its ports while they exist. One that hangs takes only its own
    share of the time.
    """
    due = [one for one in teardowns if one.is_due_before_links()]
    for count, one in zip(range(len(due), 0, -1), due, strict=True):
        await _run(one, one.run_before_links, deadline.part(1 / count))


async def _concurrently(teardowns: Sequence[AttachmentTeardown], deadline: Deadline) -> None:
    """Run the plugins after the links are removed, concurrently: the order has no effect."""
    due = [one for one in teardowns if one.is_due()]
    if len(due) == 1:
        await _run(due[0], due[0].run_after_links, deadline)
    elif due:
        await asyncio.gather(*(_run(one, one.run_after_links, deadline) for one in due))


async def _run(
    teardown: AttachmentTeardown, work: Callable[[], Awaitable[None]], deadline: Deadline
) -> None:
    seconds = deadline.remaining()
    timeout = asyncio.timeout(seconds)
    try:
        async with timeout:
            await work()
    except Exception as error:
        if seconds is not None and timeout.expired():
            teardown.time_out(seconds)
        else:
            teardown.fail(error)
