"""The runtime: one handler for each verb, behind the locks of the calls.

Invariant: the calls of one sandbox are carried out one after the other, and no verb keeps other
sandboxes waiting. STATUS and GC are about no sandbox: they take no lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

from cni.call import CniRequest
from cni.serving.call_locks import CallLocks
from planes.model.wire.cniversion import Verb

_OF_A_SANDBOX: Final = frozenset({Verb.ADD, Verb.CHECK, Verb.DEL})


class Handler(Protocol):
    """Handles one verb."""

    async def handle(self, request: CniRequest) -> bytes:
        """Carry out a call; return stdout of the plugin, b"" where there is none.

        Raises:
            PlanesError: why the call failed.
        """
        ...


class Runtime:
    """Carries out calls; implements `cni.serving.protocol.SandboxVerbs`.

    Args:
        call_locks: orders the calls.
        handlers: one for each verb but VERSION, which the server answers.
    """

    def __init__(self, call_locks: CallLocks, handlers: Mapping[Verb, Handler]) -> None:
        self._call_locks = call_locks
        self._handlers = handlers

    async def handle(self, request: CniRequest) -> bytes:
        """Carry out a call; see `Verbs.handle`."""
        if request.verb not in _OF_A_SANDBOX:
            return await self._handlers[request.verb].handle(request)
        async with self.sandbox(request.container_id) as waited:
            return await self.handle_locked(request.after_waiting(waited))

    async def handle_locked(self, request: CniRequest) -> bytes:
        """Carry out a call whose sandbox's lock is held; see `SandboxVerbs.handle_locked`."""
        slot = self._call_locks.slot(
            request.container_id, request.pod.namespace, attaches=request.verb is not Verb.DEL
        )
        async with slot as waited:
            return await self._handlers[request.verb].handle(request.after_waiting(waited))

    def sandbox(self, container_id: str) -> AbstractAsyncContextManager[float]:
        """Hold a sandbox's lock inside the block; see `SandboxVerbs.sandbox`."""
        return self._call_locks.sandbox(container_id)
