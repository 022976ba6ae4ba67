"""One state of the manifests, indexed: namespaces, pods with their status, and the catalog.

Immutable; a change makes a new one that shares what did not change. Of two objects with one name
that of the first file (by name) is in force, the other is a problem.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from planes.model.names import STATUS_ANNOTATION
from planes.model.objects import Nad, NadRef, Namespace, Pod
from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog
from planes.model.state.claim_index import ClaimIndex
from planes.model.state.claims import PodClaims, claims_of
from planes.store.manifests import Identity, Manifest
from planes.store.protocol import Problem

PodKey = tuple[str, str]

# Beyond that many changed pods one pass over all of them is cheaper.
_MAX_SINGLE_CHANGES: Final = 64


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of the store at one moment.

    Attributes:
        catalog: planes, NADs and claims.
        pods: with the network-status that is in force.
        problems: objects that an earlier file has already, and planes that are not in force.
    """

    catalog: Catalog
    namespaces: Mapping[str, Namespace] = field(default_factory=dict)
    pods: Mapping[PodKey, Pod] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    _bare: Mapping[PodKey, Pod] = field(default_factory=dict)
    _planes: tuple[Plane, ...] = ()
    _nads: tuple[Nad, ...] = ()

    def renewed(self, manifests: Iterable[Manifest], statuses: Mapping[PodKey, str]) -> Snapshot:
        """Return the snapshot of other manifests and statuses."""
        kept, problems = _first_of_each(manifests)
        values = [manifest.value for manifest in kept]
        planes = tuple(value for value in values if isinstance(value, Plane))
        nads = tuple(value for value in values if isinstance(value, Nad))
        bare = {(v.namespace, v.name): v for v in values if isinstance(v, Pod)}
        pods = {key: with_status(pod, statuses.get(key)) for key, pod in bare.items()}
        claims = self._claims(pods, statuses)
        namespaces = {v.name: v for v in values if isinstance(v, Namespace)}
        is_same = planes == self._planes and nads == self._nads
        catalog = (
            self.catalog.with_claims(claims) if is_same else self._catalog(planes, nads, claims)
        )
        return Snapshot(
            catalog=catalog.with_namespaces(namespaces.get),
            namespaces=namespaces,
            pods=pods,
            problems=(*problems, *_not_in_force(kept, catalog)),
            _bare=bare,
            _planes=planes,
            _nads=nads,
        )

    def with_status(self, key: PodKey, status: str | None) -> Snapshot:
        """Return the snapshot with a pod's network-status, or (None) without it."""
        bare = self._bare.get(key)
        if bare is None:
            return self
        pod = with_status(bare, status)
        claims = self.catalog.claims.with_pod(
            pod, is_believed=status is not None, read=self.catalog.annotation_cache.networks.get
        )
        return replace(self, catalog=self.catalog.with_claims(claims), pods={**self.pods, key: pod})

    def pods_naming(self, ref: NadRef) -> tuple[str, ...]:
        """Return the pods of a NAD's namespace that name it."""
        return tuple(
            name
            for (namespace, name), pod in self.pods.items()
            if namespace == ref.namespace and ref in claims_of(pod).networks
        )

    def _claims(self, pods: Mapping[PodKey, Pod], statuses: Mapping[PodKey, str]) -> ClaimIndex:
        """Index pods; only a network-status that a node wrote to its own file is believed."""
        changed = [pod for key, pod in pods.items() if self.pods.get(key) != pod]
        gone = [pod for key, pod in self.pods.items() if key not in pods]
        if len(changed) + len(gone) > _MAX_SINGLE_CHANGES:
            changed, gone, claims = list(pods.values()), [], ClaimIndex()
        else:
            claims = self.catalog.claims
        renewed: dict[str, PodClaims | None] = {pod.key: None for pod in gone}
        for pod in changed:
            is_believed = (pod.namespace, pod.name) in statuses
            renewed[pod.key] = claims_of(pod, is_believed=is_believed)
        return claims.changed(renewed)

    def _catalog(
        self, planes: tuple[Plane, ...], nads: tuple[Nad, ...], claims: ClaimIndex
    ) -> Catalog:
        return Catalog.build(
            planes,
            nads,
            claims,
            namespace_isolation=self.catalog.namespace_isolation,
            global_namespaces=self.catalog.global_namespaces,
            previous=self.catalog,
        )


def _not_in_force(manifests: Iterable[Manifest], catalog: Catalog) -> Iterator[Problem]:
    """Yield a problem for each plane that is not in force because of an earlier one."""
    for manifest in manifests:
        plane = manifest.value
        if isinstance(plane, Plane) and (found := catalog.withheld.get(plane.ref)) is not None:
            yield Problem(manifest.where, str(found.finding("")))


def _first_of_each(
    manifests: Iterable[Manifest],
) -> tuple[tuple[Manifest, ...], tuple[Problem, ...]]:
    found: dict[Identity, Manifest] = {}
    problems = []
    for manifest in manifests:
        first = found.setdefault(manifest.identity, manifest)
        if first is not manifest:
            reason = f"{manifest.identity} is in {first.where} already, and that one counts"
            problems.append(Problem(manifest.where, reason))
    return tuple(found.values()), tuple(problems)


def with_status(pod: Pod, status: str | None) -> Pod:
    """Return a pod with its network-status annotation; None leaves what it has."""
    if status is None:
        return pod
    return replace(pod, annotations={**pod.annotations, STATUS_ANNOTATION: status})
