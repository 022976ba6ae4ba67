"""The catalog of a cluster, updated from the watched objects.

Invariant: `catalog` is always one consistent snapshot. All is indexed anew only when a plane has
changed; NADs and claims of pods are updated in batches, in the next turn of the event loop, at a
cost that depends on what has changed.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from planes.kube.informers.cache import ObjectCache
from planes.kube.store.nad_cache import NadCache
from planes.model.errors import Finding
from planes.model.names import NETPLANE_NAMESPACE
from planes.model.spec.nad_policy import NadPolicy
from planes.model.spec.plane import parse_stored_plane
from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog, NamespaceOf
from planes.model.state.claim_changes import Held
from planes.model.state.claims import PodClaims
from planes.store.protocol import Problem

_MOST_PROBLEMS: Final = 16
"""Problems reported of the NADs of one namespace."""
_TELL_SECONDS: Final = 1.0
"""Between two reports of problems: a tenant can break and repair NADs all day."""


class LiveCatalog:
    """Planes, NADs and claims as a catalog.

    Attributes:
        catalog: the current snapshot.
        planes: the event handler of planes.
        nads: the event handler of NADs.

    Args:
        namespace_isolation: Multus' option: a NAD serves its own namespace only.
        global_namespaces: namespaces whose NADs serve everybody under isolation.
        nad_policy: what NADs of tenants may be.
        namespace_of: returns a namespace as last seen.
        on_objects: called after planes or NADs were indexed, once a second for NADs at most.
    """

    def __init__(
        self,
        *,
        namespace_isolation: bool,
        global_namespaces: Iterable[str],
        namespace_of: NamespaceOf,
        nad_policy: NadPolicy | None = None,
        on_objects: Callable[[], None],
    ) -> None:
        self.catalog = Catalog.build(
            namespace_of=namespace_of,
            namespace_isolation=namespace_isolation,
            global_namespaces=global_namespaces,
            nad_policy=nad_policy,
        )
        self.planes: ObjectCache[Plane] = ObjectCache(parse_stored_plane, self._on_planes)
        administrators = self.catalog.nad_checks.policy.administrators
        trusted = {NETPLANE_NAMESPACE, *self.catalog.global_namespaces, *administrators}
        self.nads = NadCache(self._come_due, trusted)
        self._on_indexed = on_objects
        self._claims: dict[str, PodClaims | None] = {}
        self._held: dict[Held, str | None] = {}
        self._is_stale = False
        self._is_due = False
        self._told_at = 0.0
        self._is_to_tell = False

    @property
    def is_settled(self) -> bool:
        """Whether the catalog has all changes so far."""
        return not self._is_due

    def claim(self, pod: str, claims: PodClaims | None) -> None:
        """Set what a pod, `namespace/name`, claims; None for nothing."""
        self._claims[pod] = claims
        self._come_due()

    def hold(self, changes: Mapping[Held, str | None]) -> None:
        """Set which pods have static addresses of planes; None for no pod."""
        self._held.update(changes)
        self._come_due()

    def settle(self) -> None:
        """Bring the catalog up to date."""
        self._is_due = False
        before = self.catalog
        claims = before.claims
        if self._claims:
            claims = claims.changed(self._claims)
            self._claims = {}
        if self._held:
            claims = claims.with_held(self._held)
            self._held = {}
        if self._is_stale:
            self._is_stale = False
            self.nads.expect([plane.ref for plane in self.planes.values()])
            self.nads.take()
            self.catalog = Catalog.build(
                self.planes.values(),
                self.nads.values(),
                claims,
                namespace_of=before.namespace_of,
                namespace_isolation=before.namespace_isolation,
                global_namespaces=before.global_namespaces,
                static_needs_ranges=True,
                previous=before,
            )
            self._tell()
            return
        catalog = before.with_nads(self.nads.take())
        if catalog is not before:
            self._tell_later()
        self.catalog = catalog if claims is before.claims else catalog.with_claims(claims)

    def problems(self) -> Iterator[Problem]:
        """Yield planes and NADs that cannot be read, and what is doubtful of the others."""
        for plane, fault in self.planes.faults().items():
            yield Problem(f"Plane/{plane}", fault)
        for finding in self.catalog.warnings:
            yield _doubtful(finding)
        yield from self._of_nads()

    def _of_nads(self) -> Iterator[Problem]:
        """Yield problems of NADs, of each namespace the first few."""
        told: Counter[str] = Counter()
        faulty = [(ref, nad) for ref, nad in self.catalog.nads.items() if nad.fault]
        for ref, nad in sorted(faulty, key=lambda each: each[0]):
            if told[ref.namespace] < _MOST_PROBLEMS:
                told[ref.namespace] += 1
                reason = f"{nad.fault}; {nad.remedy}" if nad.remedy else nad.fault
                yield Problem(f"NetworkAttachmentDefinition/{ref}", reason)
        for ref in sorted(self.catalog.lint):
            for finding in self.catalog.lint[ref]:
                if told[ref.namespace] < _MOST_PROBLEMS:
                    told[ref.namespace] += 1
                    yield _doubtful(finding)

    def _on_planes(self) -> None:
        self._is_stale = True
        self._come_due()

    def _come_due(self) -> None:
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self.settle)

    def _tell_later(self) -> None:
        """Have problems reported, at once unless that was done a moment ago."""
        if self._is_to_tell:
            return
        loop = asyncio.get_running_loop()
        wait = self._told_at + _TELL_SECONDS - loop.time() if self._told_at else 0.0
        if wait <= 0:
            self._tell()
        else:
            self._is_to_tell = True
            loop.call_later(wait, self._tell)

    def _tell(self) -> None:
        self._is_to_tell = False
        self._told_at = asyncio.get_running_loop().time()
        self._on_indexed()


def _doubtful(finding: Finding) -> Problem:
    reason = f"{finding.message}; {finding.remedy}" if finding.remedy else finding.message
    return Problem(finding.path, reason)
