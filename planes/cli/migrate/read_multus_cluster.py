"""Read what a migration is about: planes, NADs within the webhook's bounds, pods that name them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Final

from planes.cli.migrate.multus_report import MultusReport
from planes.cli.migrate.nad_report import MigratedNad, NadUse, judge, listed_findings
from planes.kube.api import Query, ReadApi
from planes.kube.informers.cache import key_of
from planes.kube.resources import NADS, NAMESPACES, PLANES, PODS, Resource
from planes.kube.store.nad_cache import NadCache
from planes.kube.store.pod_views import POD_FIELDS
from planes.model.annotations.selection import read_selections
from planes.model.decide.decision import decide
from planes.model.errors import Denied, Finding, JsonObject, NotFound, PlanesError
from planes.model.names import (
    DEFAULT_NETWORK_ANNOTATION,
    MULTUS_NAMESPACE,
    NETWORKS_ANNOTATION,
    STATUS_ANNOTATIONS,
)
from planes.model.objects import Nad, NadRef, Namespace, Pod
from planes.model.spec.nad_policy import NadPolicy
from planes.model.spec.plane import parse_stored_plane
from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog

_MOST_REFUSED: Final = 500
"""Groups of refused pods that are told one by one."""


@dataclass(slots=True)
class RefusedPods:
    """Pods of one owner that would be refused for one reason: the first of them."""

    namespace: str
    name: str
    pods: int
    errors: tuple[Finding, ...]

    def as_json(self) -> JsonObject:
        """Return it as it is printed."""
        found = {"namespace": self.namespace, "name": self.name, "pods": self.pods}
        return {**found, "errors": listed_findings(self.errors)}


@dataclass(slots=True)
class Migration:
    """What was read and judged.

    Attributes:
        planes: those that are there.
        notes: what could not be read, and what is beyond a bound.
    """

    nads: list[MigratedNad] = field(default_factory=list)
    refused: list[RefusedPods] = field(default_factory=list)
    planes: list[Plane] = field(default_factory=list)
    pods: int = 0
    notes: list[str] = field(default_factory=list)


class MigrationReader:
    """Reads a cluster or manifests.

    Args:
        api: is read, a page at a time.
        policy: what NADs may be.
        multus: what Multus' files on the nodes say.
        namespace: whose NADs and pods are judged; "" for all.
    """

    def __init__(
        self, api: ReadApi, policy: NadPolicy, multus: MultusReport, namespace: str = ""
    ) -> None:
        self._api = api
        self._policy = policy
        self._multus = multus
        self._namespace = namespace
        self._found = Migration()
        self._uses: dict[NadRef, NadUse] = {}
        self._namespaces: dict[str, Namespace] = {}
        self._known: frozenset[NadRef] = frozenset()
        self._refused: dict[tuple[str, str, str], RefusedPods] = {}

    async def read(self) -> Migration:
        """Read and judge everything.

        Raises:
            PlanesError: NADs or pods cannot be read.
        """
        planes = [plane async for plane in self._planes()]
        self._found.planes = planes
        async for obj in self._optional(NAMESPACES, is_metadata_only=True):
            space = Namespace.from_object(obj)
            self._namespaces[space.name] = space
        nads = await self._nads(planes)
        catalog = Catalog.build(
            planes,
            nads,
            namespace_of=self._namespaces.get,
            namespace_isolation=self._multus.isolates,
            global_namespaces=self._multus.global_namespaces,
            nad_policy=self._policy,
        )
        await self._pods(catalog)
        for nad in sorted(nads, key=lambda each: (each.namespace, each.name)):
            if self._namespace in {"", nad.namespace}:
                use = self._uses.get(nad.ref) or NadUse()
                its = self._namespaces.get(nad.namespace)
                self._found.nads.append(judge(nad, catalog, its, use))
        self._found.refused = sorted(
            self._refused.values(), key=lambda each: (each.namespace, each.name)
        )
        return self._found

    async def _optional(
        self, resource: Resource, *, is_metadata_only: bool = False
    ) -> AsyncIterator[JsonObject]:
        """Yield what may be missing: without the right to read it, or without its kind."""
        try:
            async for page in self._api.pages(Query(resource, is_metadata_only=is_metadata_only)):
                for obj in page.items:
                    yield obj
        except Denied as error:
            text = f"{error.message}: NADs and pods are judged without them; {error.remedy}"
            self._found.notes.append(text)
        except NotFound:
            return

    async def _planes(self) -> AsyncIterator[Plane]:
        async for obj in self._optional(PLANES):
            try:
                yield parse_stored_plane(obj)
            except PlanesError as error:
                self._found.notes.append(f"a plane is left out: {error.message}")

    async def _nads(self, planes: list[Plane]) -> list[Nad]:
        """Read the NADs as the webhook keeps them: a bounded share of each namespace."""
        cache = NadCache(lambda: None, self._policy.administrators)
        cache.expect([plane.nad_ref for plane in planes if plane.nad_ref is not None])
        count = 0
        rendered = {
            (plane.ref.namespace, plane.ref.name) for plane in planes if plane.network is not None
        }
        async for obj in self._nad_objects():
            key = key_of(obj)
            if (key.namespace, key.name) not in rendered:
                count += 1
                cache.put(obj)
        kept = list(cache.values())
        self._known = frozenset(nad.ref for nad in kept)
        if len(kept) < count:
            self._found.notes.append(
                f"{count - len(kept)} NADs are beyond what is known of one namespace: "
                "pods that name them are refused"
            )
        return kept

    async def _nad_objects(self) -> AsyncIterator[JsonObject]:
        """Yield all NADs: a pod may name those of other namespaces."""
        try:
            async for page in self._api.pages(Query(NADS)):
                for obj in page.items:
                    yield obj
        except Denied as error:
            if not self._namespace:
                raise
            text = f"{error.message}: pods that name NADs of other namespaces seem refused"
            self._found.notes.append(f"{text}; {error.remedy}")
            async for page in self._api.pages(Query(NADS, self._namespace)):
                for obj in page.items:
                    yield obj

    async def _pods(self, catalog: Catalog) -> None:
        query = Query(PODS, self._namespace, fields=POD_FIELDS, is_metadata_only=True)
        async for page in self._api.pages(query):
            for obj in page.items:
                self._take_pod(obj, catalog)

    def _take_pod(self, obj: JsonObject, catalog: Catalog) -> None:
        try:
            pod = Pod.from_object({"metadata": obj["metadata"]})
        except PlanesError as error:
            bare = Pod(*key_of(obj))
            self._refuse(bare, Finding("", error.message, error.remedy))
            return
        texts = pod.annotations
        if NETWORKS_ANNOTATION not in texts and DEFAULT_NETWORK_ANNOTATION not in texts:
            return
        self._found.pods += 1
        default = read_selections(texts.get(DEFAULT_NETWORK_ANNOTATION, ""), MULTUS_NAMESPACE)
        asked = read_selections(texts.get(NETWORKS_ANNOTATION, ""), pod.namespace)
        selections = (*default.selections, *asked.selections)
        for one in sorted({each.ref for each in selections} & self._known):
            ips = [ip for each in selections if each.ref == one for ip in each.ips]
            self._uses.setdefault(one, NadUse()).add(pod, ips)
        kept = {key: text for key, text in texts.items() if key not in STATUS_ANNOTATIONS}
        space = self._namespaces.get(pod.namespace) or Namespace(pod.namespace)
        decision = decide(replace(pod, annotations=kept), space, catalog, creating=True)
        if decision.denied:
            self._refuse(pod, *decision.errors)

    def _refuse(self, pod: Pod, *errors: Finding) -> None:
        owner = pod.owner_name or pod.name
        key = (pod.namespace, owner, errors[0].message)
        if key in self._refused:
            self._refused[key].pods += 1
        elif len(self._refused) < _MOST_REFUSED:
            self._refused[key] = RefusedPods(pod.namespace, pod.name, 1, errors)
        elif len(self._refused) == _MOST_REFUSED:
            rest = Finding("", "more pods are refused than are told one by one")
            self._refused["", "", ""] = RefusedPods("", "(more)", 1, (rest,))
