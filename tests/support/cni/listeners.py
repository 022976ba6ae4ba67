"""What listens on a node that exists only in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from cni.host.listening_sockets import ListeningSocket, Port


class FakeListeners:
    """What listens on the node, as a test says; implements `Listeners`.

    Attributes:
        found: all of it.
        asked: how often somebody looked.
    """

    def __init__(self) -> None:
        self.found: list[ListeningSocket] = []
        self.asked = 0

    async def on(self, ports: Collection[Port]) -> tuple[ListeningSocket, ...]:
        self.asked += 1
        await asyncio.sleep(0)
        return tuple(one for one in self.found if (one.protocol, one.port) in ports)
