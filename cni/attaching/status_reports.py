"""Write network-status annotations, and events in the background.

Invariant: the status is part of ADD, which fails if it cannot be written. Events never delay or
fail a call, keep their order, and are all written before `run` ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from cni.journal.entry import Entry, log_fields
from planes.model.errors import PlanesError
from planes.model.events import Event, added_interface
from planes.model.names import STATUS_ANNOTATION
from planes.model.objects import Pod
from planes.model.wire.status import encode_status, statuses_of
from planes.run.shielded import shielded
from planes.store.protocol import Store

_log = logging.getLogger(__name__)


class StatusReporter:
    """Writes network-status and events of journal entries to the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._events: list[Event] = []
        self._has_events = asyncio.Event()

    async def publish(self, pod: Pod, *entries: Entry) -> None:
        """Write the network-status of a pod: its attached entries, in order.

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

    async def publish_remaining(self, *left: Entry) -> None:
        """Write the network-status of the entries left; a failure is only logged."""
        pod = Pod(left[0].namespace, left[0].pod, uid=left[0].uid)
        try:
            await self.publish(pod, *left)
        except PlanesError as error:
            _log.warning("cannot reduce network-status", extra=_log_fields(left[0], error))

    async def remove(self, entry: Entry) -> None:
        """Remove the network-status of a pod; a failure is only logged."""
        try:
            await self._store.drop_status(entry.namespace, entry.pod)
        except PlanesError as error:
            _log.warning("cannot drop network-status", extra=_log_fields(entry, error))

    def queue(self, events: Iterable[Event | None]) -> None:
        """Queue events for `run` to write; None is skipped."""
        self._events.extend(event for event in events if event is not None)
        if self._events:
            self._has_events.set()

    def queue_added(self, entry: Entry) -> None:
        """Queue the `AddedInterface` events of an entry, in its order."""
        self.queue(
            added_interface(
                entry.namespace,
                entry.pod,
                entry.uid,
                one.ifname,
                result=one.result,
                network_name=one.network,
            )
            for one in entry.attachments
            if one.result is not None
        )

    async def run(self) -> None:
        """Write events until cancelled, then write what is still queued."""
        try:
            while True:
                await self._has_events.wait()
                await shielded(self._store.emit(*self._queued()))
        except asyncio.CancelledError:
            if left := self._queued():
                await self._store.emit(*left)
            raise

    def _queued(self) -> list[Event]:
        """Take all queued events: those of one ADD are written together."""
        events, self._events = self._events, []
        self._has_events.clear()
        return events


def status_text(*entries: Entry) -> str:
    """Return the value of the network-status annotation for attached entries."""
    return encode_status(
        status
        for entry in entries
        for one in entry.attachments
        if one.result is not None
        for status in statuses_of(
            one.network,
            one.result,
            is_default=one.is_default,
            ifname=one.ifname,
            device_info=None if one.device is None else one.device.info,
        )
    )


def _log_fields(entry: Entry, error: PlanesError) -> dict[str, str]:
    return {**log_fields(entry), "error": str(error)}
