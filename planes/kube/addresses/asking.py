"""Ask the nodes that have a plane's blocks for an address.

A request is an entry in the `asked` of one of a node's blocks, under this node's own name: no node
may write another. The owner answers for all its blocks of the plane and family: it lends addresses
or returns a block, then removes the entry. Each attempt asks a few nodes at most. A node that lent
nothing, or did not answer, is not asked twice in half a minute. Of those that were asked nobody is
waited for longer than it takes: what one lends is tried while others are silent.

Invariant: nothing of another node's block is written but the entry: its other fields stay as they
were read, in whatever form, because the API server refuses any change of them.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from planes.kube.addresses.block_listing import BlockListing
from planes.kube.addresses.ipblocks import NodeBlock, read_node_block
from planes.kube.api import KubeApi
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import AddressRange
from planes.model.errors import BadInput, Conflict, NotFound, PlanesError, Unavailable
from planes.model.spec.lending import ASK_AGAIN_SECONDS, MOST_ENTRIES, ForeignBlock, whom_to_ask
from planes.run.backoff import Randomness
from planes.run.clock import Clock, rfc3339

_log = logging.getLogger(__name__)

WAIT_SECONDS: Final = 4.0
"""For so long an ADD waits for answers."""
_PAUSES: Final = (0.05, 0.1, 0.2, 0.4)
_TRIES: Final = 4
_SPREAD: Final = 1 << 16

_Lent = frozenset[AddressRange]


@dataclass(slots=True)
class Answers:
    """What became of a request.

    Attributes:
        until: how long answers are waited for, by the monotonic clock.
        asked: nodes that were asked.
        left: their blocks, of those that have not answered.
        refused: nodes whose block could not be written.
        versions: of the blocks after their answers.
        has_returned: a block that was asked is gone: it can be taken.
    """

    until: float
    asked: list[str] = field(default_factory=list)
    left: list[ForeignBlock] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    has_returned: bool = False

    @property
    def silent(self) -> list[str]:
        """Nodes that did not answer."""
        return [*(each.node for each in self.left), *self.refused]

    @property
    def at_least(self) -> str:
        """The version of a list that shows what was lent; "" for the newest."""
        numbers = [int(text) for text in self.versions if text.isascii() and text.isdigit()]
        return str(max(numbers)) if len(numbers) == len(self.versions) and numbers else ""

    @property
    def text(self) -> str:
        """What happened, for a message."""
        if not self.asked:
            return f"no node can be asked again within {ASK_AGAIN_SECONDS:.0f} s"
        text = f"asked {', '.join(dict.fromkeys(self.asked))}"
        if not self.silent:
            return f"{text}: none free there"
        return f"{text}: no answer from {', '.join(dict.fromkeys(self.silent))}"


def _lent_by(node: str, blocks: Iterable[NodeBlock]) -> _Lent:
    return frozenset(span for block in blocks if block.node == node for span in block.lent)


class Asker:
    """Asks other nodes.

    Args:
        api: the API server.
        node: this node's name.
        clock: paces waiting.
        randomness: spreads nodes that ask at the same time.
    """

    def __init__(self, api: KubeApi, node: str, clock: Clock, randomness: Randomness) -> None:
        self._api = api
        self._node = node
        self._clock = clock
        self._randomness = randomness
        self._listing = BlockListing(api)
        self._asked: dict[tuple[str, int], dict[str, tuple[float, _Lent]]] = {}

    async def ask(self, plane: str, version: int, blocks: Collection[NodeBlock]) -> Answers:
        """Ask nodes that have blocks; `wait` waits for their answers.

        Args:
            plane: of the blocks.
            version: of the addresses.
            blocks: all of that plane and family, as they are now.

        Raises:
            PlanesError: the API server cannot be used.
        """
        now = self._clock.monotonic()
        lent = {block.node: _lent_by(block.node, blocks) for block in blocks}
        silent = {block.node for block in blocks if self._node in block.asked}
        # One that has lent more since may lend more again.
        before = self._asked.get((plane, version), {}).items()
        recent = {
            node: (at, then)
            for node, (at, then) in before
            if now - at < ASK_AGAIN_SECONDS and (node in silent or lent.get(node, then) == then)
        }
        self._asked[plane, version] = recent
        foreign = [
            ForeignBlock(block.name, block.node, len(block.asked))
            for block in blocks
            if block.node != self._node
        ]
        asked = {node: at for node, (at, _) in recent.items()}
        chosen = whom_to_ask(foreign, asked, now, int(self._randomness() * _SPREAD))
        answers = Answers(now, [each.node for each in chosen])
        for each in chosen:
            recent[each.node] = (now, lent[each.node])
            try:
                await self._enter(each.name)
                answers.left.append(each)
            except NotFound:
                answers.has_returned = True
            except Unavailable:  # the others could not be asked either
                raise
            except PlanesError as error:
                answers.refused.append(each.node)
                facts = {"block": each.name, "error": str(error)}
                _log.warning("cannot ask a node for addresses", extra=facts)
        answers.until = self._clock.monotonic() + WAIT_SECONDS
        return answers

    async def wait(self, answers: Answers) -> bool:
        """Wait for an answer more; return False where there is none and none comes.

        Args:
            answers: is changed.
        """
        before, looks = len(answers.left), 0
        while (
            answers.left
            and len(answers.left) == before
            and not answers.has_returned
            and self._clock.monotonic() < answers.until
        ):
            await self._clock.sleep(_PAUSES[min(looks, len(_PAUSES) - 1)])
            looks += 1
            for each in list(answers.left):
                if await self._has_answered(each, answers):
                    answers.left.remove(each)
        return answers.has_returned or len(answers.left) < before

    async def _has_answered(self, asked: ForeignBlock, answers: Answers) -> bool:
        try:
            block = await self._listing.named(asked.name)
        except PlanesError as error:
            _log.warning("cannot look for an answer", extra={"error": str(error)})
            return False
        if block is None:
            answers.has_returned = True
        elif self._node in block.asked:
            return False
        else:
            answers.versions.append(block.version)
        return True

    async def _enter(self, name: str) -> None:
        """Write this node's entry into a block, unless as many as may be are there."""
        for _ in range(_TRIES):
            obj = await self._api.get(IPBLOCKS, name)
            try:
                block = read_node_block(obj)
            except BadInput:
                return
            if block is None or len({*block.asked, self._node}) > MOST_ENTRIES:
                return
            asked = {**block.asked, self._node: rfc3339(self._clock.now())}
            try:
                await self._api.replace(IPBLOCKS, {**obj, "asked": asked})
            except Conflict:
                continue
            return
