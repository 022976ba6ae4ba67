"""What decides about pods, read once: planes, NADs, namespaces, claims, holders of addresses.

Of a cluster only what concerns the namespaces in question is read: their NADs, and of other pods
those alone that ask for addresses or have static ones. Pods and namespaces are read by pages, their
metadata only. As in the webhook, a network-status proves nothing there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from planes.cli.reading.place import Place
from planes.cli.state import read_state
from planes.kube.addresses.ipblocks import STATIC
from planes.kube.addresses.static_holders import StaticHolders
from planes.kube.api import Query, ReadApi
from planes.kube.resources import IPBLOCKS, NADS, NAMESPACES, PLANES, PODS
from planes.kube.store.namespaces import read_namespace
from planes.kube.store.pod_views import POD_FIELDS
from planes.model.errors import Denied, JsonObject, NotFound, PlanesError
from planes.model.names import (
    DEFAULT_NETWORK_ANNOTATION,
    NETPLANE_NAMESPACE,
    NETWORKS_ANNOTATION,
    STATUS_ANNOTATION,
)
from planes.model.objects import Nad, NadRef, Namespace, Pod
from planes.model.spec.nad_policy import NadPolicy
from planes.model.spec.plane import parse_stored_plane
from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog
from planes.model.state.claim_changes import Held
from planes.model.state.claim_index import ClaimIndex
from planes.model.state.claims import PodClaims, claims_of
from planes.run.jobs import start
from planes.store.manifests import Manifest, Value, read_object
from planes.store.protocol import Problem
from planes.store.snapshot import Snapshot

_CLAIMING = (NETWORKS_ANNOTATION, DEFAULT_NETWORK_ANNOTATION, STATUS_ANNOTATION)


@dataclass(frozen=True, slots=True)
class DecisionState:
    """The state by which pods are judged.

    Attributes:
        snapshot: planes, NADs and claims, and namespaces by name.
        problems: objects of files that are ignored.
        ignored: objects of a cluster that are.
        unknown: what could not be read, and so was not judged by.
        leaving: planes that are being deleted.
        has_namespaces: False where those in question could not be read.
    """

    snapshot: Snapshot
    problems: tuple[Problem, ...] = ()
    ignored: tuple[Problem, ...] = ()
    unknown: tuple[str, ...] = ()
    leaving: frozenset[str] = frozenset()
    has_namespaces: bool = True


async def decision_state(
    place: Place,
    namespaces: Collection[str],
    *,
    nads_of: Collection[str] = (),
    extra: Iterable[tuple[JsonObject, str]] = (),
) -> DecisionState:
    """Read what decides about the pods of some namespaces.

    Args:
        place: where to read.
        namespaces: theirs.
        nads_of: further namespaces whose NADs they name.
        extra: objects that replace those that are there, as if they were applied; each with its
            `file:line`.

    Raises:
        PlanesError: planes cannot be read, or the place does not answer.
    """
    directory = place.directory
    if directory is not None:
        snapshot, problems = await start(
            lambda: read_state(directory, state_dir=place.state_dir, extra=extra), None
        )
        return DecisionState(snapshot, problems)
    reading = _ClusterReading(place.api, frozenset(namespaces))
    await reading.read(nads_of, extra)
    return reading.state()


@dataclass(slots=True)
class _ClusterReading:
    api: ReadApi
    concerned: frozenset[str]
    planes: dict[str, Plane] = field(default_factory=dict)
    nads: dict[NadRef, Nad] = field(default_factory=dict)
    namespaces: dict[str, Namespace] = field(default_factory=dict)
    claims: dict[str, PodClaims | None] = field(default_factory=dict)
    held: dict[Held, str | None] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    ignored: list[Problem] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    leaving: set[str] = field(default_factory=set)
    has_namespaces: bool = True

    async def read(self, nads_of: Collection[str], extra: Iterable[tuple[JsonObject, str]]) -> None:
        await self._read_planes()
        given = self._given(extra)
        self.planes |= {one.name: one for one in given if isinstance(one, Plane)}
        spaces = {*self.concerned, *nads_of, NETPLANE_NAMESPACE}
        for space in sorted(spaces):
            await self._known(self._read_nads(space))
        for plane in list(self.planes.values()):
            if plane.nad_ref is not None and plane.ref.namespace not in spaces:
                await self._known(self._read_nad(plane.ref))
        if not await self._known(self._read_namespaces()):
            for name in sorted(self.concerned):
                self.has_namespaces &= await self._known(self._read_namespace(name))
        # Holders before pods: a holder is removed after its pod.
        await self._known(self._read_holders())
        await self._known(self._read_claims())
        self.nads |= {one.ref: one for one in given if isinstance(one, Nad)}
        self.namespaces |= {one.name: one for one in given if isinstance(one, Namespace)}

    def state(self) -> DecisionState:
        """Return what was read, indexed as the webhook does."""
        catalog = Catalog.build(
            self.planes.values(),
            self.nads.values(),
            ClaimIndex().changed(self.claims).with_held(self.held),
            namespace_of=self.namespaces.get,
            static_needs_ranges=True,
            nad_policy=NadPolicy(is_guarded=True),
        )
        snapshot = Snapshot(catalog, self.namespaces)
        return DecisionState(
            snapshot,
            tuple(self.problems),
            tuple(self.ignored),
            tuple(dict.fromkeys(self.unknown)),
            frozenset(self.leaving),
            self.has_namespaces,
        )

    async def _known(self, reading: Awaitable[None]) -> bool:
        """Read one kind; what the user may not read is unknown."""
        try:
            await reading
        except Denied as error:
            self.unknown.append(f"not known: {error}")
            return False
        except NotFound as error:  # the kind, or the object
            self.unknown.append(f"not known: {error}")
        return True

    async def _read_planes(self) -> None:
        async for page in self.api.pages(Query(PLANES)):
            for obj in page.items:
                name = str(obj["metadata"]["name"])
                if obj["metadata"].get("deletionTimestamp"):
                    self.leaving.add(name)
                try:
                    self.planes[name] = parse_stored_plane(obj)
                except PlanesError as error:
                    self.ignored.append(Problem(f"Plane/{name}", str(error)))

    async def _read_nads(self, namespace: str) -> None:
        async for page in self.api.pages(Query(NADS, namespace=namespace)):
            for obj in page.items:
                self._take_nad(obj)

    async def _read_nad(self, ref: NadRef) -> None:
        self._take_nad(await self.api.get(NADS, ref.name, namespace=ref.namespace))

    def _take_nad(self, obj: JsonObject) -> None:
        try:
            nad = Nad.from_object(obj)
        except PlanesError as error:
            meta = obj["metadata"]
            where = f"NetworkAttachmentDefinition/{meta.get('namespace')}/{meta['name']}"
            self.ignored.append(Problem(where, str(error)))
        else:
            self.nads[nad.ref] = nad

    async def _read_namespaces(self) -> None:
        async for page in self.api.pages(Query(NAMESPACES, is_metadata_only=True)):
            for obj in page.items:
                self._take_namespace(obj)

    async def _read_namespace(self, name: str) -> None:
        self._take_namespace(await self.api.get(NAMESPACES, name, is_metadata_only=True))

    def _take_namespace(self, obj: JsonObject) -> None:
        name = str(obj["metadata"]["name"])
        try:
            self.namespaces[name] = read_namespace(obj)
        except PlanesError as error:
            self.ignored.append(Problem(f"Namespace/{name}", str(error)))

    async def _read_holders(self) -> None:
        holders = StaticHolders(self._take_held)
        async for page in self.api.pages(Query(IPBLOCKS, fields=f"spec.use={STATIC}")):
            for obj in page.items:
                holders.put(obj)

    def _take_held(self, changes: Mapping[Held, str | None]) -> None:
        self.held.update(changes)

    async def _read_claims(self) -> None:
        holders = frozenset(self.held.values())
        async for page in self.api.pages(Query(PODS, fields=POD_FIELDS, is_metadata_only=True)):
            for obj in page.items:
                meta = obj["metadata"]
                space, name = str(meta.get("namespace", "")), str(meta["name"])
                is_known, key = space in self.concerned, f"{space}/{name}"
                is_known |= key in holders
                if not is_known and not _may_ask(meta):
                    continue
                found = _claims(meta, space, name)
                if found and (is_known or found.claims):
                    self.claims[key] = found

    def _given(self, extra: Iterable[tuple[JsonObject, str]]) -> list[Value]:
        found = []
        for obj, where in extra:
            one = read_object(obj, where)
            if isinstance(one, Manifest):
                found.append(one.value)
            elif one is not None:
                self.problems.append(one.problem)
        return found


def _may_ask(meta: JsonObject) -> bool:
    """Report whether a pod may ask for addresses or MACs; of most pods a glance at it is enough."""
    annotations = meta.get("annotations") or {}
    texts = [
        annotations.get(key) or "" for key in (NETWORKS_ANNOTATION, DEFAULT_NETWORK_ANNOTATION)
    ]
    # A member's name may be written with escapes.
    return any(sign in text for text in texts for sign in ("ips", "mac", "\\"))


def _claims(meta: JsonObject, namespace: str, name: str) -> PodClaims | None:
    annotations = meta.get("annotations") or {}
    kept = {key: annotations[key] for key in _CLAIMING if annotations.get(key)}
    return claims_of(Pod(namespace, name, annotations=kept)) if kept else None
