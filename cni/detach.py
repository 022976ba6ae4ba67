"""Tearing attachments down: for DEL, GC, undo and recovery alike, from what was journaled.

Invariant: never stops at one attachment's failure, nor at one that hangs where there is a limit,
may be repeated, and needs neither the pod nor the namespace. Links of native plugins go as one
group, since the kernel makes whoever removes a link wait for a grace period (5-20 ms); addresses
are given back only after their link is gone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final, Protocol

from cni.attachment import PlannedAttachment, waves
from cni.chain import Chains, Link
from cni.entry import Entry
from cni.holds import Holds
from cni.limit import Limit
from cni.plugin import Call
from cni.probe import Probe
from cni.unable import could_not_run
from planes.model.errors import Internal, PlanesError, Unavailable
from planes.run.jobs import ended, start

_log = logging.getLogger(__name__)

_BEFORE_LINKS: Final = 0.75  # of the time there is; the rest is for what comes after


class Links(Protocol):
    """What we need of the kernel to tear down."""

    async def remove_links(self, netns: str, names: Sequence[str]) -> None:
        """Remove links as one group; missing ones and a missing namespace are fine."""
        ...


@dataclass(frozen=True, slots=True)
class Failure:
    """An attachment that could not be torn down whole.

    Attributes:
        attachment: what is left.
        error: why.
        needs_sandbox: true where trying again helps only while the sandbox exists.
    """

    attachment: PlannedAttachment
    error: PlanesError
    needs_sandbox: bool


class _Teardown:
    """One attachment on its way out: its plugins in reverse, in two runs around the links."""

    def __init__(self, call: Call, attachment: PlannedAttachment, chains: Chains) -> None:
        self.call = call
        self.attachment = attachment
        self.error: PlanesError | None = None
        self.needs_sandbox = False
        # Of plugins that could not do their part and must not keep the others from theirs.
        self._passed_over: PlanesError | None = None
        self._chains = chains
        self._left: list[Link] = []

    def bind(self) -> None:
        """Bind the plugins to their netconfs."""
        try:
            self._left = list(reversed(self._chains.links(self.attachment)))
        except PlanesError as error:
            self.error = error

    def links(self) -> tuple[str, ...]:
        """The links in the sandbox that its native plugins own."""
        names: list[str] = []
        for link in self._left:
            if link.native is not None:
                names.extend(link.native.links(self.call, link.conf))
        return tuple(names)

    async def run(self, *, links_are_gone: bool) -> None:
        """Run DEL in reverse order; before the links are gone, stop at the first that owns one."""
        while self._left and self.error is None:
            link = self._left[0]
            if not links_are_gone and self._owns_links(link):
                return
            try:
                await self._delete(link)
            except PlanesError as error:
                self.error, self.needs_sandbox = error, link.native is None
                return
            self._left.pop(0)
        if not self._left and self.error is None:
            self.error, self.needs_sandbox = self._passed_over, False

    def is_due(self, *, links_are_gone: bool) -> bool:
        """Tell whether `run` has something to do."""
        if not self._left or self.error is not None:
            return False
        return links_are_gone or not self._owns_links(self._left[0])

    def has_local_release(self) -> bool:
        """Tell whether `release_locally` has something to do."""
        return self.is_due(links_are_gone=True) and self._local_release() is not None

    def release_locally(self) -> None:
        """Run those at the front whose release is a blocking step; in a thread."""
        while self.error is None and (step := self._local_release()) is not None:
            try:
                step()
            except PlanesError as error:
                self.error = error
            except Exception as error:
                self.fail(error)
            else:
                self._left.pop(0)

    def _local_release(self) -> Callable[[], None] | None:
        if not self._left or self._left[0].native is None:
            return None
        try:
            return self._left[0].native.local_release(self.call, self._left[0].conf)
        except PlanesError:  # `run` meets the same error, and notes it
            return None

    def fail(self, error: Exception) -> None:
        """Take note of a defect, which must not keep the others from being torn down."""
        _log.error("defect in a plugin", exc_info=error, extra={"network": self.attachment.network})
        self.error = Internal(f"cannot detach {self.attachment.ifname}: {error!r}")

    def pass_over(self, seconds: float) -> None:
        """Take note that it hangs, which must not keep the others from being torn down either."""
        self.error = Unavailable(
            f"cannot detach {self.attachment.ifname} within {seconds:.1f} s",
            remedy="see what its plugin waits for; it is tried again",
        )
        self.needs_sandbox = True

    def _owns_links(self, link: Link) -> bool:
        return link.native is not None and bool(link.native.links(self.call, link.conf))

    async def _delete(self, link: Link) -> None:
        if link.native is not None:
            await link.native.release(self.call, link.conf)
            return
        try:
            await self._chains.delete(self.call, link, self.attachment.result)
        except PlanesError as error:
            if self.call.netns:
                raise
            # Without a namespace a later plugin of a chain must not keep the first one, which gave
            # the addresses, from its turn. Some cannot cope with there being none (sbr), and then
            # have nothing to give back; one that could not do its work has (portmap's rules).
            if link.position == 0:
                raise
            if could_not_run(error):
                self._passed_over = self._passed_over or error
            _log.warning(
                "plugin cannot delete without a namespace",
                extra={"type": link.conf.type, "error": str(error)},
            )


class Detacher:
    """Tears attachments down."""

    def __init__(
        self,
        chains: Chains,
        holds: Holds,
        kernel: Links,
        probe: Probe,
        files: Executor | None = None,
    ) -> None:
        self._chains = chains
        self._holds = holds
        self._kernel = kernel
        self._probe = probe
        self._files = files

    async def detach(
        self, entry: Entry, netns: str, within: float | None = None
    ) -> tuple[Failure, ...]:
        """Tear down an entry's attachments; what failed, in their order.

        Args:
            entry: what was attached, wholly or in part.
            netns: the sandbox's namespace, "" where there is none any more.
            within: seconds after which what hangs is passed over; None waits for all of it.
        """
        teardowns = [
            _Teardown(entry.call(one, netns), one, self._chains) for one in entry.attachments
        ]
        for one in teardowns:
            one.bind()
        groups = _in_reverse(teardowns)
        limit = Limit(within)
        await _in_turn(groups, limit.part(_BEFORE_LINKS), links_are_gone=False)
        await self._remove_links(netns, teardowns)
        self._probe.reached("links.removed")
        await self._release_locally([one for group in groups for one in group])
        await _in_turn(groups, limit, links_are_gone=True)
        await self._give_back(teardowns)
        return tuple(
            Failure(one.attachment, one.error, one.needs_sandbox)
            for one in teardowns
            if one.error is not None
        )

    async def _give_back(self, teardowns: Sequence[_Teardown]) -> None:
        """Give back what is held for attachments that are gone."""
        for one in teardowns:
            if one.error is None:
                try:
                    await self._holds.give_back(one.call, one.attachment)
                except PlanesError as error:
                    one.error = error

    async def _release_locally(self, teardowns: Sequence[_Teardown]) -> None:
        """Give back what this host keeps in files: for all in one turn of one thread."""
        due = [one for one in teardowns if one.has_local_release()]

        def release() -> None:
            for one in due:
                one.release_locally()

        if due:
            await ended(start(release, self._files))

    async def _remove_links(self, netns: str, teardowns: Sequence[_Teardown]) -> None:
        willing = [one for one in teardowns if one.error is None]
        names = [name for one in reversed(willing) for name in one.links()]
        if not netns or not names:
            return
        try:
            await self._kernel.remove_links(netns, tuple(dict.fromkeys(names)))
        except PlanesError as error:
            for one in willing:
                if one.links():
                    one.error, one.needs_sandbox = error, True


def _in_reverse(teardowns: Sequence[_Teardown]) -> list[list[_Teardown]]:
    """Group as ADD did, the other way round; the default network goes with the planes."""
    by_attachment = {id(one.attachment): one for one in teardowns}
    groups = waves([one.attachment for one in teardowns])
    ordered = [[by_attachment[id(one)] for one in group] for group in reversed(groups)]
    if len(ordered) > 1 and ordered[-1][0].attachment.is_default:
        last = ordered.pop()
        ordered[-1] = [*ordered[-1], *last]
    return ordered


async def _in_turn(
    groups: Sequence[Sequence[_Teardown]], limit: Limit, *, links_are_gone: bool
) -> None:
    """Run group after group: one that hangs leaves their part of the time to those after it."""
    for count, group in zip(range(len(groups), 0, -1), groups, strict=True):
        await _together(group, limit.part(1 / count), links_are_gone=links_are_gone)


async def _together(teardowns: Sequence[_Teardown], limit: Limit, *, links_are_gone: bool) -> None:
    due = [one for one in teardowns if one.is_due(links_are_gone=links_are_gone)]
    if len(due) == 1:
        await _one(due[0], limit, links_are_gone)
    elif due:
        await asyncio.gather(*(_one(teardown, limit, links_are_gone) for teardown in due))


async def _one(teardown: _Teardown, limit: Limit, links_are_gone: bool) -> None:
    seconds = limit.left()
    deadline = asyncio.timeout(seconds)
    try:
        async with deadline:
            await teardown.run(links_are_gone=links_are_gone)
    except Exception as error:
        if seconds is not None and deadline.expired():
            teardown.pass_over(seconds)
        else:
            teardown.fail(error)
