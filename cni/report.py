"""Telling the world: network-status, and events behind everybody's back.

Invariant: status is part of ADD (it fails with it); events never delay or fail a call, keep their
order, and are all written before `run` ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from cni.completion import complete
from cni.entry import Entry, whose
from planes.model.errors import PlanesError
from planes.model.events import Event, added_interface
from planes.model.names import STATUS_ANNOTATION
from planes.model.objects import Pod
from planes.model.wire.status import encode_status, statuses_of
from planes.store.protocol import Store

_log = logging.getLogger(__name__)


class Reporter:
    """Writes status and events of attached entries to the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._events: asyncio.Queue[Event] = asyncio.Queue()

    async def publish(self, pod: Pod, *entries: Entry) -> None:
        """Write the network-status of a pod: all its attached calls, in order.

        Raises:
            Unavailable: it could not be written.
        """
        await self._store.put_status(pod, status_text(*entries))

    async def repair(self, pod: Pod, entry: Entry) -> None:
        """Write the network-status of a pod that has none.

        Raises:
            Unavailable: it could not be written.
        """
        if not pod.annotations.get(STATUS_ANNOTATION):
            await self.publish(pod, entry)

    async def reduce(self, *left: Entry) -> None:
        """Write the network-status of what is left; a store that is away is no reason to fail."""
        pod = Pod(left[0].namespace, left[0].pod, uid=left[0].uid)
        try:
            await self.publish(pod, *left)
        except PlanesError as error:
            _log.warning("cannot reduce network-status", extra=_fault(left[0], error))

    async def withdraw(self, entry: Entry) -> None:
        """Take the network-status back; a store that is away is no reason to fail."""
        try:
            await self._store.drop_status(entry.namespace, entry.pod)
        except PlanesError as error:
            _log.warning("cannot drop network-status", extra=_fault(entry, error))

    def tell(self, events: Iterable[Event | None]) -> None:
        """Queue events; they are written by `run`."""
        for event in events:
            if event is not None:
                self._events.put_nowait(event)

    def added(self, entry: Entry) -> None:
        """Queue the `AddedInterface` events of an entry, in its order."""
        self.tell(
            added_interface(
                entry.namespace, entry.pod, entry.uid, one.ifname, one.result, one.network
            )
            for one in entry.attachments
            if one.result is not None
        )

    async def run(self) -> None:
        """Write events until cancelled; then write what is queued, and end."""
        try:
            while True:
                first = await self._events.get()
                await complete(self._store.emit(first, *self._queued()))
        except asyncio.CancelledError:
            if left := self._queued():
                await self._store.emit(*left)
            raise

    def _queued(self) -> list[Event]:
        """Take what is queued: an ADD's events are written together."""
        return [self._events.get_nowait() for _ in range(self._events.qsize())]


def status_text(*entries: Entry) -> str:
    """Give the network-status annotation of attached entries."""
    return encode_status(
        status
        for entry in entries
        for one in entry.attachments
        if one.result is not None
        for status in statuses_of(
            one.network, one.result, is_default=one.is_default, ifname=one.ifname
        )
    )


def _fault(entry: Entry, error: PlanesError) -> dict[str, str]:
    return {**whose(entry), "error": str(error)}
