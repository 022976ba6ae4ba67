"""The catalog: one immutable snapshot of planes, NADs and claims, indexed for decisions.

Everything a decision looks up is prepared when the catalog is built, so that a review costs the
same with two namespaces and with five thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from planes.model.addresses import AddressRange, IPAddress
from planes.model.annotations.selection import Selection
from planes.model.errors import Finding
from planes.model.objects import Nad, NadRef, Namespace
from planes.model.spec.address_policy import with_static_apart
from planes.model.spec.nad_policy import NadPolicy
from planes.model.spec.plane_spec import Plane
from planes.model.spec.render import plane_nad
from planes.model.state.claim_index import ClaimIndex, Counts
from planes.model.state.claims import Claim
from planes.model.state.layered import Layered
from planes.model.state.membership import Membership, membership_of
from planes.model.state.nad_facts import NadFacts
from planes.model.state.nad_gate import NadGate
from planes.model.state.nad_index import NadIndex
from planes.model.state.plane_keys import (
    NO_FACTS,
    grouped,
    index_networks,
    index_wires,
    label_keys,
    shared_nads,
)
from planes.model.state.suggest import close_names
from planes.model.state.texts import Texts
from planes.model.state.wire import Wire
from planes.model.state.wire_index import Expand, Stand, WireIndex, planes_in

_MOST_MEMBERSHIPS = 8192
"""More than the namespaces of a large cluster; bounds what is remembered of deleted ones."""
_MOST_ELEMENTS = 4096
"""Planes by interface names: a few for each plane."""

NamespaceOf = Callable[[str], Namespace | None]
"""Gives a namespace by name, None for one that is not known."""


def _nobody(_: str) -> Namespace | None:
    return None


@dataclass(frozen=True, slots=True)
class Catalog:
    """Planes in their order, NADs by name, claims of addresses. Make one with `build`.

    Attributes:
        index: hand-written NADs and those rendered from planes, and what they say.
        warnings: about planes that do not go together.
        namespace_of: gives a namespace as last seen: who joined a plane decides whose claims count.
        texts: readers of annotations that remember.
        namespace_isolation: Multus' option: a NAD serves its own namespace only.
        global_namespaces: namespaces whose NADs serve everybody under isolation.
        static_needs_ranges: what a plane hands out by itself cannot be asked for by address.
        wires: planes by the wires that their NADs are on.
        gate: says what NADs of tenants may be.
    """

    planes: tuple[Plane, ...] = ()
    index: NadIndex = field(default_factory=NadIndex)
    warnings: tuple[Finding, ...] = ()
    claims: ClaimIndex = field(default_factory=ClaimIndex)
    namespace_of: NamespaceOf = field(default=_nobody, compare=False)
    texts: Texts = field(default_factory=Texts, compare=False)
    namespace_isolation: bool = False
    global_namespaces: frozenset[str] = frozenset({"default"})
    static_needs_ranges: bool = False
    wires: WireIndex = field(default_factory=WireIndex, compare=False)
    gate: NadGate = field(default_factory=NadGate, compare=False)
    _by_name: Mapping[str, Plane] = field(default_factory=dict)
    _by_ref: Mapping[NadRef, Plane] = field(default_factory=dict)
    _by_network: Mapping[str, Plane] = field(default_factory=dict)
    _by_label: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    _anywhere: tuple[int, ...] = ()
    _rendered: Mapping[NadRef, Nad] = field(default_factory=dict)
    _memberships: dict[str, tuple[Namespace, Membership]] = field(
        default_factory=dict, compare=False
    )
    _elements: dict[tuple[NadRef, str], Selection] = field(default_factory=dict, compare=False)

    @classmethod
    def build(
        cls,
        planes: Iterable[Plane] = (),
        nads: Iterable[Nad] = (),
        claims: ClaimIndex | None = None,
        *,
        namespace_of: NamespaceOf = _nobody,
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
        ordered = tuple(sorted(planes, key=lambda plane: (plane.order, plane.name)))
        rendered = {nad.ref: nad for nad in map(plane_nad, ordered) if nad is not None}
        by_ref = grouped((plane.ref, plane) for plane in ordered)
        by_label = grouped(
            (key, place) for place, plane in enumerate(ordered) for key in label_keys(plane)
        )
        known = NadIndex() if previous is None else previous.index
        index = known.of((*nads, *rendered.values()))
        return cls(
            planes=ordered,
            index=index,
            warnings=tuple(shared_nads(by_ref)),
            claims=claims or ClaimIndex(),
            namespace_of=namespace_of,
            namespace_isolation=namespace_isolation,
            global_namespaces=frozenset(global_namespaces),
            static_needs_ranges=static_needs_ranges,
            wires=index_wires(ordered, index, None if previous is None else previous.wires),
            gate=NadGate(nad_policy) if previous is None else previous.gate,
            texts=Texts() if previous is None else previous.texts,
            _by_name={plane.name: plane for plane in ordered},
            _by_ref={ref: backed[0] for ref, backed in by_ref.items()},
            _by_network=index_networks(ordered, index),
            _by_label={key: found for key, found in by_label.items() if key is not None},
            _anywhere=by_label.get(None, ()),
            _rendered=rendered,
        )

    def with_claims(self, claims: ClaimIndex) -> Catalog:
        """Give the same catalog with other claims; nothing is indexed again."""
        return replace(self, claims=claims)

    def with_namespaces(self, namespace_of: NamespaceOf) -> Catalog:
        """Give the same catalog with other namespaces whose pods may claim addresses."""
        return replace(self, namespace_of=namespace_of)

    def rival(self, ref: NadRef, address: IPAddress, pod: str) -> Claim | None:
        """Give the claim that keeps a pod from an address of a network, None where it may have it.

        On a plane's network claims count from namespaces that joined the plane: whoever may create
        pods elsewhere cannot keep anybody out. On any other NAD those of its own namespace and of
        the pod's count.

        Args:
            ref: the network.
            address: on it.
            pod: who wants it, `namespace/name`.
        """
        plane = self._by_ref.get(ref)
        name = "" if plane is None else plane.name
        return self.claims.rival(ref, address, pod, self._counting(ref, pod), name)

    def free(
        self, ref: NadRef, spans: Iterable[AddressRange], near: IPAddress, pod: str
    ) -> tuple[IPAddress, ...]:
        """Suggest addresses of a network that a pod may have: after `near` first."""
        plane = self._by_ref.get(ref)
        name = "" if plane is None else plane.name
        return self.claims.free(ref, spans, near, self._counting(ref, pod), name)

    def _counting(self, ref: NadRef, pod: str) -> Counts:
        own = pod.partition("/")[0]
        if ref not in self._by_ref:
            return lambda namespace: namespace in {own, ref.namespace}

        def counts(namespace: str) -> bool:
            known = self.namespace_of(namespace)
            return namespace == own or (
                known is not None
                and any(plane.ref == ref for plane in self.membership(known).planes)
            )

        return counts

    def with_nads(self, changes: Mapping[NadRef, Nad | None]) -> Catalog:
        """Give the same catalog with some hand-written NADs set, or (None) removed.

        What it costs depends on the changes alone: whoever may write NADs writes them often.
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
    def nads(self) -> Layered[NadRef, Nad]:
        """All NADs, as they are kept."""
        return self.index.nads

    @property
    def facts(self) -> Layered[NadRef, NadFacts]:
        """What each NAD's configuration says."""
        return self.index.facts

    @property
    def lint(self) -> Layered[NadRef, tuple[Finding, ...]]:
        """Warnings about hand-written NADs."""
        return self.index.lint

    @property
    def resources(self) -> Layered[NadRef, str]:
        """The device plugin's resource of each NAD that needs one."""
        return self.index.resources

    def plane(self, name: str) -> Plane | None:
        """Give a plane by name."""
        return self._by_name.get(name)

    def plane_of(self, ref: NadRef) -> Plane | None:
        """Give the plane that a NAD backs; of several the first in order."""
        return self._by_ref.get(ref)

    def plane_of_network(self, name: str) -> Plane | None:
        """Give the plane whose NAD's configuration has a CNI network name; the first in order."""
        return self._by_network.get(name) if name else None

    def stand_of(self, ref: NadRef) -> Stand:
        """Give the wires of planes that a NAD reaches, without its own plane's."""
        return self.wires.stand_of(ref, self.facts_of(ref).wires)

    def planes_on(self, ref: NadRef) -> tuple[Plane, ...]:
        """Give the planes on whose wires a NAD stands, in their order, without its own."""
        return planes_in(self.stand_of(ref))

    def planes_on_wires(self, wires: Iterable[Wire]) -> tuple[Plane, ...]:
        """Give the planes on some wires, in their order."""
        return planes_in(self.wires.stand_on(wires))

    def seen_from_node(self, expand: Expand, elsewhere: Mapping[NadRef, NadFacts]) -> Catalog:
        """Give the catalog with what a node knows of wires.

        Args:
            expand: adds all other names that wires have on the node.
            elsewhere: what NADs without a configuration say on the node.
        """
        index = replace(self.index, facts=self.index.facts.changed(elsewhere))
        owned = ((plane, index.facts.get(plane.ref, NO_FACTS).wires) for plane in self.planes)
        return replace(self, index=index, wires=WireIndex(owned, expand))

    def membership(self, namespace: Namespace, *, is_kept: bool = True) -> Membership:
        """Give what a namespace's labels mean; worked out once for each namespace as it is.

        `is_kept` is False for one that is not there, but only asked about: it is not remembered.
        """
        known = self._memberships.get(namespace.name)
        if known is not None and known[0] is namespace:
            return known[1]
        found = {*self._anywhere}.union(*(self._by_label.get(key, ()) for key in namespace.labels))
        candidates = [self.planes[index] for index in sorted(found)]
        membership = membership_of(namespace, candidates, self._by_name)
        if is_kept:
            if len(self._memberships) >= _MOST_MEMBERSHIPS:
                self._memberships.clear()
            self._memberships[namespace.name] = (namespace, membership)
        return membership

    def element(self, ref: NadRef, interface: str) -> Selection:
        """Give the element that injects a NAD and asks for nothing; made once."""
        key = (ref, interface)
        found = self._elements.get(key)
        if found is None:
            if len(self._elements) >= _MOST_ELEMENTS:
                self._elements.clear()
            found = self._elements[key] = Selection(ref.name, ref.namespace, interface)
        return found

    def facts_of(self, ref: NadRef) -> NadFacts:
        """Give what a NAD's configuration says."""
        return self.index.facts.get(ref) or NO_FACTS

    def same_named(self, name: str) -> tuple[NadRef, ...]:
        """Give the NADs of a name in all namespaces, sorted."""
        return self.index.names.get(name) or ()

    def close_to(self, ref: NadRef) -> tuple[NadRef, ...]:
        """Give NADs whose names look like a wrong one: its namespace's, then any plane's."""
        near = self.index.places.get(ref.namespace) or ()
        planes = {plane.name: plane for plane in self._by_ref.values()}
        found = [NadRef(ref.namespace, name) for name in close_names(ref.name, near)]
        found += [planes[name].ref for name in close_names(ref.name, planes)]
        return tuple(dict.fromkeys(found))
