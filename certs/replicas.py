"""Reports of replicas about the certificate they serve: one Lease each, renewed while it runs.

An old root may be removed only when no replica serves a certificate of it. So a replica creates its
Lease (with "" as certificate) before it first reads which certificate to serve: whoever lists the
Leases after a new certificate was stored either finds its Lease, or it will read that certificate.
A replica whose Lease is not renewed for 40 s is taken for gone. Only time counts in which the
observer itself got answers of the API server, by its own monotonic clock; so neither an outage nor
wrong clocks make a running replica seem gone.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from planes.kube.api import KubeApi, Query
from planes.kube.errors import AlreadyExists
from planes.kube.resources import LEASES
from planes.model.errors import Conflict, JsonObject, NotFound, PlanesError
from planes.run.clock import Clock

_log = logging.getLogger(__name__)

LABEL: Final = "netplane.io/replica"
ANNOTATION: Final = "netplane.io/serving"

SILENT_SECONDS: Final = 40.0
_RENEW_SECONDS: Final = 8.0
_LONGEST_COUNTED_SECONDS: Final = 15.0  # between two lists; more means that listing failed
_LEAVE_SECONDS: Final = 3.0


@dataclass(slots=True)
class _Sighting:
    """The version of a Lease, and when it was first seen, in observed time."""

    version: str
    at: float


class Replicas:
    """Reports the certificate of this replica, and lists those of the others.

    Args:
        prefix: what the names of Leases start with, and the value of their label.
        pod: the name of this replica's pod.
    """

    def __init__(
        self, api: KubeApi, clock: Clock, *, namespace: str, prefix: str, pod: str
    ) -> None:
        self._api = api
        self._clock = clock
        self._namespace = namespace
        self._label = prefix
        self._pod = pod
        self._name = f"{prefix}-{pod}"
        self._reported: str | None = None
        self._reported_at = 0.0
        self._observed = 0.0
        self._looked_at: float | None = None
        self._sightings: dict[str, _Sighting] = {}

    @property
    def has_reported(self) -> bool:
        """Whether this replica has a Lease."""
        return self._reported is not None

    async def report(self, serving: str, now: datetime) -> None:
        """Report the certificate that this replica serves; "" for none.

        Raises:
            PlanesError: the API server does not answer, or refuses.
        """
        at = self._clock.monotonic()
        if serving == self._reported and at - self._reported_at < _RENEW_SECONDS:
            return
        lease = self._lease(serving, now)
        try:
            await self._api.patch(LEASES, self._name, lease, namespace=self._namespace)
        except NotFound:
            with suppress(AlreadyExists):
                await self._api.create(LEASES, lease, namespace=self._namespace)
        self._reported, self._reported_at = serving, at

    async def others(self) -> frozenset[str]:
        """Return the certificates that other running replicas serve; delete Leases of gone ones.

        Raises:
            PlanesError: the API server does not answer, or refuses.
        """
        query = Query(LEASES, self._namespace, labels=f"{LABEL}={self._label}")
        leases = [lease async for page in self._api.pages(query) for lease in page.items]
        self._advance()
        shown: set[str] = set()
        silent: list[JsonObject] = []
        for lease in leases:
            if lease["metadata"]["name"] == self._name:
                continue
            if self._silence(lease) >= SILENT_SECONDS:
                silent.append(lease)
            else:
                annotations = lease["metadata"].get("annotations") or {}
                shown.add(str(annotations.get(ANNOTATION, "")))
        names = {lease["metadata"]["name"] for lease in leases}
        self._sightings = {n: seen for n, seen in self._sightings.items() if n in names}
        for lease in silent:
            await self._remove(lease)
        return frozenset(shown)

    async def leave(self) -> None:
        """Delete this replica's Lease: it serves nothing any more."""
        if not self.has_reported:
            return
        try:
            async with asyncio.timeout(_LEAVE_SECONDS):
                await self._api.delete(LEASES, self._name, namespace=self._namespace)
        except (PlanesError, TimeoutError) as exc:
            _log.warning("replica lease not removed", extra={"reason": str(exc) or "timeout"})
        self._reported = None

    def _advance(self) -> None:
        at = self._clock.monotonic()
        if self._looked_at is not None:
            self._observed += min(at - self._looked_at, _LONGEST_COUNTED_SECONDS)
        self._looked_at = at

    def _silence(self, lease: JsonObject) -> float:
        metadata = lease["metadata"]
        name, version = metadata["name"], str(metadata.get("resourceVersion", ""))
        seen = self._sightings.get(name)
        if seen is None or seen.version != version:
            self._sightings[name] = seen = _Sighting(version, self._observed)
        return self._observed - seen.at

    async def _remove(self, lease: JsonObject) -> None:
        metadata = lease["metadata"]
        with suppress(Conflict):
            await self._api.delete(
                LEASES, metadata["name"], namespace=self._namespace, uid=metadata.get("uid", "")
            )
        _log.info("replica is gone", extra={"lease": metadata["name"]})

    def _lease(self, serving: str, now: datetime) -> JsonObject:
        return {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {
                "name": self._name,
                "namespace": self._namespace,
                "labels": {LABEL: self._label},
                "annotations": {ANNOTATION: serving},
            },
            "spec": {
                "holderIdentity": self._pod,
                "leaseDurationSeconds": int(SILENT_SECONDS),
                "renewTime": f"{now:%Y-%m-%dT%H:%M:%S.%fZ}",
            },
        }
