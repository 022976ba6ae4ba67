"""The catalog: one immutable snapshot of planes, NADs and claims, indexed for decisions.

All indexes are made when the catalog is built, so that a review costs the same with two namespaces
and with five thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from planes.model.addresses import AddressRange, IPAddress
from planes.model.annotations.selection import Selection
from planes.model.errors import Finding
from planes.model.near_names import close_names
from planes.model.objects import Nad, NadRef, Namespace
from planes.model.spec.address_policy import with_static_apart
from planes.model.spec.nad_policy import NadPolicy
from planes.model.spec.plane_spec import Plane
from planes.model.spec.render import plane_nad
from planes.model.state.annotation_cache import AnnotationCache
from planes.model.state.claim_index import ClaimIndex, ClaimScope
from planes.model.state.claims import Claim, Wanted
from planes.model.state.membership import Membership, Memberships, membership_of
from planes.model.state.nad_checks import NadChecks
from planes.model.state.nad_facts import NadFacts
from planes.model.state.nad_index import NadIndex
from planes.model.state.persistent_map import PersistentMap
from planes.model.state.plane_keys import (
    NO_FACTS,
    grouped,
    index_networks,
    index_wires,
    label_keys,
    plane_warnings,
)
from planes.model.state.rivals import Withheld, find_withheld, withheld_warnings
from planes.model.state.wire import Wire
from planes.model.state.wire_index import Expand, PlaneWires, WireIndex, planes_in

_MOST_ELEMENTS = 4096
"""Planes by interface names: a few for each plane."""

NamespaceOf = Callable[[str], Namespace | None]
"""Returns a namespace by name, None for one that is not known."""


def _no_namespace(_: str) -> Namespace | None:
    return None


@dataclass(frozen=True, slots=True)
class Catalog:
    """Planes in their order, NADs by name, claims of addresses. Make one with `build`.

    Attributes:
        index: hand-written NADs and those rendered from planes, and what they say.
        warnings: about planes that do not go together.
        withheld: planes that are not in force because of another one, by NAD.
        namespace_of: returns a namespace as last seen; claims count of namespaces that joined.
        annotation_cache: annotations that were read already.
        namespace_isolation: Multus' option: a NAD serves its own namespace only.
        global_namespaces: namespaces whose NADs serve everybody under isolation.
        static_needs_ranges: only static ranges and reservations can be asked for by address.
        wires: planes by the wires of their NADs.
        nad_checks: judges NADs by the policy for tenants.
    """

    planes: tuple[Plane, ...] = ()
    index: NadIndex = field(default_factory=NadIndex)
    warnings: tuple[Finding, ...] = ()
    withheld: Mapping[NadRef, Withheld] = field(default_factory=dict)
    claims: ClaimIndex = field(default_factory=ClaimIndex)
    namespace_of: NamespaceOf = field(default=_no_namespace, compare=False)
    annotation_cache: AnnotationCache = field(default_factory=AnnotationCache, compare=False)
    namespace_isolation: bool = False
    global_namespaces: frozenset[str] = frozenset({"default"})
    static_needs_ranges: bool = False
    wires: WireIndex = field(default_factory=WireIndex, compare=False)
    nad_checks: NadChecks = field(default_factory=NadChecks, compare=False)
    _by_name: Mapping[str, Plane] = field(default_factory=dict)
    _by_ref: Mapping[NadRef, Plane] = field(default_factory=dict)
    _by_network: Mapping[str, Plane] = field(default_factory=dict)
    _by_label: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    _anywhere: tuple[int, ...] = ()
    _rendered: Mapping[NadRef, Nad] = field(default_factory=dict)
    _memberships: Memberships = field(default_factory=Memberships, compare=False)
    _elements: dict[tuple[NadRef, str], Selection] = field(default_factory=dict, compare=False)

    @classmethod
    def build(
        cls,
        planes: Iterable[Plane] = (),
        nads: Iterable[Nad] = (),
        claims: ClaimIndex | None = None,
        *,
        namespace_of: NamespaceOf = _no_namespace,
        namespace_isolation: bool = False,
        global_namespaces: Iterable[str] = ("default",),
        static_needs_ranges: bool = False,
        nad_policy: NadPolicy | None = None,
        previous: Catalog | None = None,
    ) -> Catalog:
        """Index planes and NADs; with `previous` NADs that have not changed are not read again.

        A rendered NAD takes the place of a hand-written one of the same name: it is repaired.
        """
        if static_needs_ranges:
            planes = map(with_static_apart, planes)
        every = sorted(planes, key=lambda plane: (plane.order, plane.name))
        rendered = {nad.ref: nad for nad in map(plane_nad, every) if nad is not None}
        known = NadIndex() if previous is None else previous.index
        index = known.of((*nads, *rendered.values()))
        withheld = find_withheld(every, lambda plane: index.facts.get(plane.ref, NO_FACTS).wires)
        ordered = tuple([plane for plane in every if plane.ref not in withheld])
        by_ref = grouped((plane.ref, plane) for plane in ordered)
        by_label = grouped(
            (key, place) for place, plane in enumerate(ordered) for key in label_keys(plane)
        )
        return cls(
            planes=ordered,
            index=index,
            warnings=(*plane_warnings(by_ref, index), *withheld_warnings(withheld)),
            withheld=withheld,
            claims=claims or ClaimIndex(),
            namespace_of=namespace_of,
            namespace_isolation=namespace_isolation,
            global_namespaces=frozenset(global_namespaces),
            static_needs_ranges=static_needs_ranges,
            wires=index_wires(ordered, index, None if previous is None else previous.wires),
            nad_checks=NadChecks(nad_policy) if previous is None else previous.nad_checks,
            annotation_cache=AnnotationCache() if previous is None else previous.annotation_cache,
            _by_name={plane.name: plane for plane in ordered},
            _by_ref={ref: backed[0] for ref, backed in by_ref.items()},
            _by_network=index_networks(ordered, index),
            _by_label={key: found for key, found in by_label.items() if key is not None},
            _anywhere=by_label.get(None, ()),
            _rendered=rendered,
        )

    def with_claims(self, claims: ClaimIndex) -> Catalog:
        """Return the same catalog with other claims; nothing is indexed again."""
        return replace(self, claims=claims)

    def with_namespaces(self, namespace_of: NamespaceOf) -> Catalog:
        """Return the same catalog with other namespaces whose pods may claim addresses."""
        return replace(self, namespace_of=namespace_of)

    def rival(self, ref: NadRef, address: Wanted, pod: str, node: str = "") -> Claim | None:
        """Return the claim of another pod to an address or a MAC's bytes, None without one.

        On a plane, claims count of namespaces that joined it, so that no other pod keeps an address
        from them. On other NADs those of the NAD's namespace and the pod's count, and where each
        node has a network of its own, only those on the pod's node, if it is known.
        """
        scope = self._scope(ref, pod)
        if self.is_of_node(ref):
            scope = scope._replace(node=node)
        return self.claims.rival(ref, address, pod, scope)

    def is_of_node(self, ref: NadRef) -> bool:
        """Report whether a NAD makes a network of its own, with its own addresses, on each node."""
        return self.facts_of(ref).is_of_node and not self.plane_wires(ref)

    def free(
        self, ref: NadRef, spans: Iterable[AddressRange], near: IPAddress, pod: str
    ) -> tuple[IPAddress, ...]:
        """Return a few free addresses of a network for a pod, those after `near` first."""
        return self.claims.free(ref, spans, near, self._scope(ref, pod))

    def _scope(self, ref: NadRef, pod: str) -> ClaimScope:
        own = pod.partition("/")[0]
        if ref not in self._by_ref:
            return ClaimScope(lambda namespace: namespace in {own, ref.namespace})

        def counts(namespace: str) -> bool:
            known = self.namespace_of(namespace)
            return namespace == own or (
                known is not None
                and any(plane.ref == ref for plane in self.membership(known).planes)
            )

        return ClaimScope(counts, self._by_ref[ref].name)

    def with_nads(self, changes: Mapping[NadRef, Nad | None]) -> Catalog:
        """Return the same catalog with some hand-written NADs set, or (None) removed.

        Its cost depends on the changes alone, as tenants may write NADs often.
        """
        index = self.index.changed(
            {ref: nad for ref, nad in changes.items() if ref not in self._rendered}
        )
        if index is self.index:
            return self
        if self._by_ref.keys().isdisjoint(changes):
            return replace(self, index=index)
        return replace(
            self,
            index=index,
            wires=index_wires(self.planes, index, self.wires),
            _by_network=index_networks(self.planes, index),
        )

    @property
    def nads(self) -> PersistentMap[NadRef, Nad]:
        """All NADs, bounded as in the index."""
        return self.index.nads

    @property
    def facts(self) -> PersistentMap[NadRef, NadFacts]:
        """The facts of each NAD's configuration."""
        return self.index.facts

    @property
    def lint(self) -> PersistentMap[NadRef, tuple[Finding, ...]]:
        """Warnings about hand-written NADs."""
        return self.index.lint

    @property
    def resources(self) -> PersistentMap[NadRef, str]:
        """The device plugin's resource of each NAD that needs one."""
        return self.index.resources

    def plane(self, name: str) -> Plane | None:
        """Return a plane by name."""
        return self._by_name.get(name)

    def plane_of(self, ref: NadRef) -> Plane | None:
        """Return the plane that a NAD backs; of several the first in order."""
        return self._by_ref.get(ref)

    def plane_of_network(self, name: str) -> Plane | None:
        """Return the plane whose NAD's configuration has a CNI network name; the first in order."""
        return self._by_network.get(name) if name else None

    def plane_wires(self, ref: NadRef) -> PlaneWires:
        """Return the wires of planes that a NAD is on, without its own plane's."""
        return self.wires.of_nad(ref, self.facts_of(ref).wires)

    def planes_on_wires(self, wires: Iterable[Wire]) -> tuple[Plane, ...]:
        """Return the planes on some wires, in their order."""
        return planes_in(self.wires.match(wires))

    def seen_from_node(self, expand: Expand, elsewhere: Mapping[NadRef, NadFacts]) -> Catalog:
        """Return the catalog with a node's knowledge of wires.

        Args:
            expand: adds all other names that wires have on the node.
            elsewhere: facts of NADs whose configuration is a file of the node.
        """
        index = replace(self.index, facts=self.index.facts.changed(elsewhere))
        owned = ((plane, index.facts.get(plane.ref, NO_FACTS).wires) for plane in self.planes)
        return replace(self, index=index, wires=WireIndex(owned, expand))

    def membership(self, namespace: Namespace, *, is_kept: bool = True) -> Membership:
        """Return the planes that a namespace's labels join; cached until the namespace changes.

        `is_kept` is False for a namespace that does not exist (yet): it is not cached.
        """
        return self._memberships.of(namespace, self._membership, is_kept=is_kept)

    def _membership(self, namespace: Namespace) -> Membership:
        found = {*self._anywhere}.union(*(self._by_label.get(key, ()) for key in namespace.labels))
        candidates = [self.planes[index] for index in sorted(found)]
        return membership_of(namespace, candidates, self._by_name, self.withheld)

    def element(self, ref: NadRef, interface: str) -> Selection:
        """Return the element that injects a NAD without any request; cached."""
        key = (ref, interface)
        found = self._elements.get(key)
        if found is None:
            if len(self._elements) >= _MOST_ELEMENTS:
                self._elements.clear()
            found = self._elements[key] = Selection(ref.name, ref.namespace, interface)
        return found

    def facts_of(self, ref: NadRef) -> NadFacts:
        """Return the facts of a NAD's configuration."""
        return self.index.facts.get(ref) or NO_FACTS

    def same_named(self, name: str) -> tuple[NadRef, ...]:
        """Return the NADs of a name in all namespaces, sorted."""
        return self.index.names.get(name) or ()

    def close_to(self, ref: NadRef) -> tuple[NadRef, ...]:
        """Return NADs with names like a wrong one: of its namespace, then of planes."""
        near = self.index.places.get(ref.namespace) or ()
        planes = {plane.name: plane for plane in self._by_ref.values()}
        found = [NadRef(ref.namespace, name) for name in close_names(ref.name, near)]
        found += [planes[name].ref for name in close_names(ref.name, planes)]
        return tuple(dict.fromkeys(found))
