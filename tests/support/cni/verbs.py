"""Verbs that do what a test says, and remember what they were asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from cni.call import CniRequest
from cni.serving.multus_protocol import InterfaceAttributes
from planes.run.locks import KeyedLocks

Behaviour = Callable[[CniRequest], Awaitable[bytes]]


class FakeVerbs:
    """Implements `cni.serving.protocol.SandboxVerbs` and `cni.serving.multus_protocol.Delegates`.

    Attributes:
        requests: every call, in the order they came.
        ended: verbs and sandboxes of the calls that ended, in that order.
        cancelled: the same of those that were cancelled, after their undo.
        behaviour: what to do; set it to an exception to raise it.
    """

    def __init__(self, behaviour: Behaviour | Exception | bytes = b"{}") -> None:
        self.requests: list[CniRequest] = []
        self.attributes: list[InterfaceAttributes] = []
        self.ended: list[tuple[str, str]] = []
        self.cancelled: list[tuple[str, str]] = []
        self.behaviour = behaviour
        self.begun = asyncio.Event()
        self.locks = KeyedLocks()

    async def handle(self, request: CniRequest) -> bytes:
        """Do what the behaviour says."""
        self.requests.append(request)
        self.begun.set()
        key = (str(request.verb), request.container_id)
        try:
            if isinstance(self.behaviour, bytes):
                return self.behaviour
            if isinstance(self.behaviour, Exception):
                raise self.behaviour
            return await self.behaviour(request)
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)  # an undo takes its time
            self.cancelled.append(key)
            raise
        finally:
            self.ended.append(key)

    async def handle_locked(self, request: CniRequest) -> bytes:
        """Do the same inside `sandbox`."""
        assert self.locks.is_held(request.container_id)
        return await self.handle(request)

    @asynccontextmanager
    async def sandbox(self, container_id: str) -> AsyncIterator[float]:
        """Hold a sandbox's lock."""
        async with self.locks.hold(container_id):
            yield 0.0

    async def delegate(self, request: CniRequest, attributes: InterfaceAttributes) -> bytes:
        """Do the same for Multus' /delegate."""
        self.attributes.append(attributes)
        return await self.handle(request)
