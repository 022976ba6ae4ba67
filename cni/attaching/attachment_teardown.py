"""The teardown of one attachment: DEL of its plugins in reverse, before and after its links go.

Invariant: a plugin that fails stops those before it in the chain, which may hold what it uses; the
error is recorded, and no other attachment is affected.
"""

from __future__ import annotations

import logging
from functools import partial

from cni.native.engine import Engine
from cni.native.plugin import SteppedPlugin
from cni.native.steps import Awaited, Step, Steps
from cni.native.transaction import Transaction, Work
from cni.net.workers import Worker
from cni.plugins.attachment import PlannedAttachment
from cni.plugins.chain import BoundPlugin, Chains
from cni.plugins.plugin import Call
from cni.plugins.unable import could_not_run
from planes.model.errors import Internal, PlanesError, Unavailable

_log = logging.getLogger(__name__)


class AttachmentTeardown:
    """One attachment that is being detached.

    Attributes:
        call: its DEL.
        attachment: the attachment.
        error: why it could not be detached; None so far.
        needs_sandbox: a retry can succeed only while the sandbox exists.
    """

    def __init__(
        self, call: Call, attachment: PlannedAttachment, chains: Chains, engine: Engine
    ) -> None:
        self.call = call
        self.attachment = attachment
        self.error: PlanesError | None = None
        self.needs_sandbox = False
        # The first error of plugins that failed without a namespace; the others still run.
        self._ignored: PlanesError | None = None
        self._chains = chains
        self._engine = engine
        self._left: list[BoundPlugin] = []
        self._links: tuple[str, ...] = ()
        self._begun: Transaction | None = None
        self._pending: tuple[Work[None], Step[object]] | None = None

    def bind(self) -> None:
        """Bind the plugins to their netconfs; an error is recorded."""
        try:
            self._left = list(reversed(self._chains.bind(self.attachment)))
            self._links = tuple(name for one in self._left for name in self._links_of(one))
        except PlanesError as error:
            self.error = error

    @property
    def links(self) -> tuple[str, ...]:
        """The links in the sandbox that its native plugins remove."""
        return self._links

    def is_due_before_links(self) -> bool:
        """Report whether plugins have something to do before the links are removed."""
        while self._left and self.error is None:
            bound = self._left[0]
            if self._links_of(bound):
                return False
            native = bound.native
            if not isinstance(native, SteppedPlugin) or native.has_release(self.call, bound.conf):
                return True
            self._left.pop(0)
        return False

    async def run_before_links(self) -> None:
        """Run DEL in reverse order, up to the first plugin that owns links."""
        while self._left and self.error is None and not self._links_of(self._left[0]):
            bound = self._left[0]
            try:
                if bound.native is None:
                    await self._delete(bound)
                else:
                    await bound.native.release(self.call, bound.conf)
            except PlanesError as error:
                self._refused(error)
            else:
                self._left.pop(0)
        self._end()

    def is_due(self) -> bool:
        """Report whether plugins are left, now that the links are gone."""
        return bool(self._left) and self.error is None

    def is_detached(self) -> bool:
        """Report whether nothing is left of it, not even addresses that are held for it."""
        return not self._left and self.error is None and not self.attachment.holds

    def is_local(self) -> bool:
        """Report whether `advance` may have something to do."""
        return self.is_due() and self._left[0].native is not None

    def advance(self, worker: Worker) -> None:
        """Carry out what need not be awaited, in a kernel thread; an error is recorded."""
        self._begun = self._engine.begin(self.call.netns, [Work(self._steps())])
        try:
            self._pending = self._begun.advance(worker)
        except PlanesError as error:
            self._refused(error)
        except Exception as error:
            self.fail(error)
        self._end()

    async def run_after_links(self) -> None:
        """Carry out what `advance` left."""
        try:
            if self._begun is None:
                await self._engine.run(self.call.netns, self._steps())
            else:
                await self._engine.go_on(self._begun, self._pending)
        except PlanesError as error:
            self._refused(error)
        self._end()

    def fail(self, error: Exception) -> None:
        """Record an unexpected exception; the other attachments are still detached."""
        _log.error("defect in a plugin", exc_info=error, extra={"network": self.attachment.network})
        self.error = Internal(f"cannot detach it: {error!r}")

    def time_out(self, seconds: float) -> None:
        """Record that it exceeded its deadline; the other attachments are still detached."""
        self.error = Unavailable(
            f"cannot detach it within {seconds:.1f} s",
            remedy="see what its plugin waits for; it is tried again",
        )
        self.needs_sandbox = True

    def _refused(self, error: PlanesError) -> None:
        self.error = error
        self.needs_sandbox = bool(self._left) and self._left[0].native is None

    def _end(self) -> None:
        if not self._left and self.error is None:
            self.error, self.needs_sandbox = self._ignored, False

    def _links_of(self, bound: BoundPlugin) -> tuple[str, ...]:
        return () if bound.native is None else bound.native.links(self.call, bound.conf)

    def _steps(self) -> Steps[None]:
        while self._left:
            bound = self._left[0]
            if isinstance(bound.native, SteppedPlugin):
                yield from bound.native.releasing(self.call, bound.conf)
            elif bound.native is None:
                yield from Awaited(partial(self._delete, bound))
            else:
                yield from Awaited(partial(bound.native.release, self.call, bound.conf))
            self._left.pop(0)

    async def _delete(self, bound: BoundPlugin) -> None:
        try:
            await self._chains.delete(self.call, bound, self.attachment.result)
        except PlanesError as error:
            if self.call.netns:
                raise
            # Without a namespace the error of a later plugin must not stop the first one, which
            # allocated the addresses. Some plugins always fail without a namespace (sbr), and have
            # nothing to release then; one that could not run may have (rules of portmap).
            if bound.position == 0:
                raise
            if could_not_run(error):
                self._ignored = self._ignored or error
            _log.warning(
                "plugin cannot delete without a namespace",
                extra={"type": bound.conf.type, "error": str(error)},
            )
