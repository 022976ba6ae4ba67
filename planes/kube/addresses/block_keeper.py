"""Keeps this node's blocks: answers, returns and takes back, one after the other.

Invariant: only one thing at a time changes what is withheld of the node's blocks.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from planes.kube.addresses.lending import ANSWER_SECONDS, Lender
from planes.kube.addresses.node_blocks import NodeBlocks
from planes.kube.addresses.returning import Returning
from planes.model.errors import PlanesError
from planes.run.clock import Clock
from planes.run.wake import wait_either

_log = logging.getLogger(__name__)

AGAIN_SECONDS: Final = 60.0
"""A block that another daemon of this node's name uses is left to it for so long."""
_MOST_NOTICED: Final = 4096


class BlockKeeper:
    """Runs a `Lender` and a `Returning`; `run` must run.

    Args:
        blocks: finds blocks anew.
        lender: looks at one block.
        returning: looks at all of them.
        clock: paces all this.
    """

    def __init__(
        self, blocks: NodeBlocks, lender: Lender, returning: Returning, clock: Clock
    ) -> None:
        self._blocks = blocks
        self._lender = lender
        self._returning = returning
        self._clock = clock
        self._due: dict[str, float] = {}
        self._tended: dict[str, float] = {}
        self._noticed = asyncio.Event()
        self._look_at = clock.monotonic() + returning.pause

    def notice(self, name: str) -> None:
        """Have a block looked at, at once or a second after it was looked at last."""
        if len(self._due) < _MOST_NOTICED:
            self._put(name, self._tended.get(name, float("-inf")) + ANSWER_SECONDS)

    def look_now(self) -> None:
        """Have all blocks looked at now."""
        self._look_at = self._clock.monotonic()
        self._noticed.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            now = self._clock.monotonic()
            for name in [name for name, at in self._due.items() if at <= now]:
                del self._due[name]
                self._tended[name] = now
                await self._tend(name)
            self._tended = {n: at for n, at in self._tended.items() if now - at < ANSWER_SECONDS}
            if self._look_at <= now:
                self._look_at = now + self._returning.pause
                await self._returning.look()
            self._noticed.clear()
            wake = min([self._look_at, *self._due.values()]) - self._clock.monotonic()
            if wake > 0:
                await wait_either(self._noticed, self._clock, wake)
            else:
                await asyncio.sleep(0)

    async def _tend(self, name: str) -> None:
        try:
            self._blocks.shun(name, for_now=False)
            if not await self._lender.tend(name):
                self._blocks.shun(name)
                self._put(name, self._clock.monotonic() + AGAIN_SECONDS)
        except PlanesError as error:
            facts = {"block": name, "error": str(error)}
            _log.warning("cannot look at an address block", extra=facts)
            self._put(name, self._clock.monotonic() + self._lender.pause(name))

    def _put(self, name: str, at: float) -> None:
        self._due[name] = max(at, self._due.get(name, float("-inf")))
        self._noticed.set()
