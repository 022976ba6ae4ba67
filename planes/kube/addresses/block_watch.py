"""Watch this node's own blocks: who asks for addresses, and whether they are still its own.

Nothing is decided here: each block with news is read anew by whoever acts.
"""

from __future__ import annotations

from collections.abc import Callable

from planes.kube.addresses.ipblocks import NodeBlock, read_node_block
from planes.kube.addresses.own_blocks import OwnBlocks
from planes.model.errors import BadInput, JsonObject


class BlockWatch:
    """Implements `planes.kube.informers.handler.EventHandler`.

    Args:
        own: the blocks in memory.
        instance: this start of the daemon.
        notice: called with the name of a block to look at.
    """

    def __init__(self, own: OwnBlocks, instance: str, notice: Callable[[str], None]) -> None:
        self._own = own
        self._instance = instance
        self._notice = notice
        self._listed: set[str] = set()

    def begin(self) -> None:
        """A whole listing starts."""
        self._listed = set()

    def put(self, obj: JsonObject) -> None:
        """A block is there, or has changed."""
        name = str(obj["metadata"]["name"])
        self._listed.add(name)
        try:
            block = read_node_block(obj)
        except BadInput:
            return
        if block is not None and self._is_news(block):
            self._notice(name)

    def drop(self, obj: JsonObject) -> None:
        """A block is gone."""
        name = str(obj["metadata"]["name"])
        if self._own.named(name) is not None:
            self._notice(name)

    def finish(self) -> None:
        """The listing is complete; what is missing in it may only be newer."""
        for own in self._own:
            if own.name not in self._listed:
                self._notice(own.name)

    def _is_news(self, block: NodeBlock) -> bool:
        own = self._own.named(block.name)
        is_other = own is None or own.block.uid != block.uid or block.instance != self._instance
        return bool(block.asked) or is_other
