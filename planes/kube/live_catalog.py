"""The catalog of a cluster, kept up with what the watches tell.

Invariant: whoever reads `catalog` has one whole state. Planes and NADs are indexed anew only when
one of them has changed; what pods claim is renewed in batches, at the next turn of the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final

from planes.kube.known import Known
from planes.model.errors import Finding, JsonObject
from planes.model.objects import Nad
from planes.model.spec.plane import Plane, parse_plane
from planes.model.state.catalog import Catalog
from planes.model.state.claims import PodClaims
from planes.store.protocol import Problem

_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


class LiveCatalog:
    """Planes, NADs and claims as a catalog.

    Attributes:
        catalog: the one in force.
        planes: follows the planes.
        nads: follows the NADs.

    Args:
        namespace_isolation: Multus' option: a NAD serves its own namespace only.
        global_namespaces: namespaces whose NADs serve everybody under isolation.
        on_objects: called when planes or NADs were indexed anew.
    """

    def __init__(
        self,
        *,
        namespace_isolation: bool,
        global_namespaces: Iterable[str],
        on_objects: Callable[[], None],
    ) -> None:
        self.catalog = Catalog.build(
            namespace_isolation=namespace_isolation, global_namespaces=global_namespaces
        )
        self.planes: Known[Plane] = Known(parse_plane, self._on_objects)
        self.nads: Known[Nad] = Known(_read_nad, self._on_objects)
        self._on_indexed = on_objects
        self._claims: dict[str, PodClaims | None] = {}
        self._is_stale = False
        self._is_due = False

    @property
    def is_settled(self) -> bool:
        """True while the catalog says all that was told."""
        return not self._is_due

    def claim(self, pod: str, claims: PodClaims | None) -> None:
        """Take what a pod, `namespace/name`, claims from now on; None: nothing."""
        self._claims[pod] = claims
        self._come_due()

    def settle(self) -> None:
        """Bring the catalog up to what was told."""
        self._is_due = False
        claims = self.catalog.claims
        if self._claims:
            claims = claims.changed(self._claims)
            self._claims = {}
        if self._is_stale:
            self._is_stale = False
            self.catalog = Catalog.build(
                self.planes.values(),
                self.nads.values(),
                claims,
                namespace_isolation=self.catalog.namespace_isolation,
                global_namespaces=self.catalog.global_namespaces,
                static_needs_ranges=True,
                previous=self.catalog,
            )
            self._on_indexed()
        elif claims is not self.catalog.claims:
            self.catalog = self.catalog.with_claims(claims)

    def problems(self) -> Iterator[Problem]:
        """Yield planes and NADs that cannot be read, and what is doubtful of the others."""
        for plane, fault in self.planes.faults().items():
            yield Problem(f"Plane/{plane}", fault)
        for nad, fault in self.nads.faults().items():
            yield Problem(f"NetworkAttachmentDefinition/{nad}", fault)
        for finding in self.catalog.warnings:
            yield _doubtful(finding)
        for ref in sorted(self.catalog.lint):
            for finding in self.catalog.lint[ref]:
                yield _doubtful(finding)

    def _on_objects(self) -> None:
        self._is_stale = True
        self._come_due()

    def _come_due(self) -> None:
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self.settle)


def _read_nad(obj: JsonObject) -> Nad:
    nad = Nad.from_object(obj)
    if _LAST_APPLIED not in nad.annotations:
        return nad
    kept = {key: text for key, text in nad.annotations.items() if key != _LAST_APPLIED}
    return replace(nad, annotations=kept)


def _doubtful(finding: Finding) -> Problem:
    reason = f"{finding.message}; {finding.remedy}" if finding.remedy else finding.message
    return Problem(finding.path, reason)
