"""The catalog: one immutable snapshot of planes, NADs and claims, indexed for decisions.

Everything a decision looks up is prepared when the catalog is built, so that a review costs the
same with two namespaces and with five thousand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from planes.model.annotations.selection import Selection
from planes.model.errors import Finding
from planes.model.names import RESOURCE_NAME_ANNOTATION
from planes.model.objects import Nad, NadRef, Namespace
from planes.model.spec.address_policy import with_static_apart
from planes.model.spec.plane_spec import Plane
from planes.model.spec.render import plane_nad
from planes.model.state.claims import ClaimIndex
from planes.model.state.membership import Membership, membership_of, shared_nad
from planes.model.state.nad_facts import NadFacts, nad_facts
from planes.model.state.nad_lint import lint_nad
from planes.model.state.suggest import close_names
from planes.model.state.texts import Texts
from planes.model.state.wire import Wire
from planes.model.state.wire_index import Expand, Stand, WireIndex, planes_in

_NO_FACTS = NadFacts(is_known=False)
_MOST_MEMBERSHIPS = 8192
"""More than the namespaces of a large cluster; bounds what is remembered of deleted ones."""
_MOST_ELEMENTS = 4096
"""Planes by interface names: a few for each plane."""
_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class Catalog:
    """Planes in their order, NADs by name, claims of addresses. Make one with `build`.

    Attributes:
        nads: hand-written NADs and those rendered from planes.
        facts: what each NAD's configuration says.
        lint: warnings about hand-written NADs.
        warnings: about planes that do not go together.
        resources: the device plugin's resource of each NAD that needs one.
        texts: readers of annotations that remember.
        namespace_isolation: Multus' option: a NAD serves its own namespace only.
        global_namespaces: namespaces whose NADs serve everybody under isolation.
        static_needs_ranges: what a plane hands out by itself cannot be asked for by address.
        wires: planes by the wires that their NADs are on.
    """

    planes: tuple[Plane, ...] = ()
    nads: Mapping[NadRef, Nad] = field(default_factory=dict)
    facts: Mapping[NadRef, NadFacts] = field(default_factory=dict)
    lint: Mapping[NadRef, tuple[Finding, ...]] = field(default_factory=dict)
    warnings: tuple[Finding, ...] = ()
    resources: Mapping[NadRef, str] = field(default_factory=dict)
    claims: ClaimIndex = field(default_factory=ClaimIndex)
    texts: Texts = field(default_factory=Texts, compare=False)
    namespace_isolation: bool = False
    global_namespaces: frozenset[str] = frozenset({"default"})
    static_needs_ranges: bool = False
    wires: WireIndex = field(default_factory=WireIndex, compare=False)
    _by_name: Mapping[str, Plane] = field(default_factory=dict)
    _by_ref: Mapping[NadRef, Plane] = field(default_factory=dict)
    _by_network: Mapping[str, Plane] = field(default_factory=dict)
    _by_label: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    _anywhere: tuple[int, ...] = ()
    _nad_names: Mapping[str, tuple[NadRef, ...]] = field(default_factory=dict)
    _nads_in: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
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
        namespace_isolation: bool = False,
        global_namespaces: Iterable[str] = ("default",),
        static_needs_ranges: bool = False,
        previous: Catalog | None = None,
    ) -> Catalog:
        """Index planes and NADs; with `previous` NADs that have not changed are not read again.

        A rendered NAD takes the place of a hand-written one of the same name: it is repaired.
        """
        if static_needs_ranges:
            planes = map(with_static_apart, planes)
        ordered = tuple(sorted(planes, key=lambda plane: (plane.order, plane.name)))
        rendered = [nad for nad in map(plane_nad, ordered) if nad is not None]
        by_nad = {nad.ref: nad for nad in (*nads, *rendered)}
        by_ref = _grouped((plane.ref, plane) for plane in ordered)
        by_label: dict[str | None, tuple[int, ...]] = {}
        for index, plane in enumerate(ordered):
            for key in _label_keys(plane):
                by_label[key] = (*by_label.get(key, ()), index)
        facts = {ref: _facts(nad, previous) for ref, nad in by_nad.items()}
        lint = {ref: _lint(nad, facts[ref], previous) for ref, nad in by_nad.items()}
        return cls(
            planes=ordered,
            nads=by_nad,
            facts=facts,
            lint={ref: found for ref, found in lint.items() if found},
            warnings=tuple(_shared(by_ref)),
            resources=_resources(by_nad),
            claims=claims or ClaimIndex(),
            namespace_isolation=namespace_isolation,
            global_namespaces=frozenset(global_namespaces),
            static_needs_ranges=static_needs_ranges,
            wires=_wires(ordered, facts, previous),
            texts=Texts() if previous is None else previous.texts,
            _by_name={plane.name: plane for plane in ordered},
            _by_ref={ref: backed[0] for ref, backed in by_ref.items()},
            _by_network=_by_network(ordered, facts),
            _by_label={key: found for key, found in by_label.items() if key is not None},
            _anywhere=by_label.get(None, ()),
            _nad_names=_grouped((ref.name, ref) for ref in sorted(by_nad)),
            _nads_in=_grouped((ref.namespace, ref.name) for ref in sorted(by_nad)),
        )

    def with_claims(self, claims: ClaimIndex) -> Catalog:
        """Give the same catalog with other claims; nothing is indexed again."""
        return replace(self, claims=claims)

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
        facts = {**self.facts, **elsewhere} if elsewhere else self.facts
        owned = ((plane, facts.get(plane.ref, _NO_FACTS).wires) for plane in self.planes)
        return replace(self, facts=facts, wires=WireIndex(owned, expand))

    def membership(self, namespace: Namespace) -> Membership:
        """Give what a namespace's labels mean; worked out once for each namespace as it is."""
        known = self._memberships.get(namespace.name)
        if known is not None and known[0] is namespace:
            return known[1]
        found = set(self._anywhere)
        for key in namespace.labels:
            found.update(self._by_label.get(key, ()))
        candidates = [self.planes[index] for index in sorted(found)]
        membership = membership_of(namespace, candidates, self._by_name)
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
        return self.facts.get(ref, _NO_FACTS)

    def same_named(self, name: str) -> tuple[NadRef, ...]:
        """Give the NADs of a name in all namespaces, sorted."""
        return self._nad_names.get(name, ())

    def close_to(self, ref: NadRef) -> tuple[NadRef, ...]:
        """Give NADs whose names look like a wrong one: its namespace's, then any plane's."""
        near = self._nads_in.get(ref.namespace, ())
        planes = {plane.name: plane for plane in self._by_ref.values()}
        found = [NadRef(ref.namespace, name) for name in close_names(ref.name, near)]
        found += [planes[name].ref for name in close_names(ref.name, planes)]
        return tuple(dict.fromkeys(found))


def _grouped(pairs: Iterable[tuple[_K, _V]]) -> dict[_K, tuple[_V, ...]]:
    found: dict[_K, list[_V]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in found.items()}


def _resources(nads: Mapping[NadRef, Nad]) -> Mapping[NadRef, str]:
    found = {ref: nad.annotations.get(RESOURCE_NAME_ANNOTATION) for ref, nad in nads.items()}
    return {ref: name for ref, name in found.items() if name}


def _by_network(planes: tuple[Plane, ...], facts: Mapping[NadRef, NadFacts]) -> Mapping[str, Plane]:
    """Index planes by the names that their NADs' configurations have."""
    return {facts[plane.ref].network: plane for plane in reversed(planes) if plane.ref in facts}


def _shared(by_ref: Mapping[NadRef, tuple[Plane, ...]]) -> Iterator[Finding]:
    for ref, backed in by_ref.items():
        if len(backed) > 1:
            yield shared_nad(ref, [plane.name for plane in backed])


def _label_keys(plane: Plane) -> tuple[str | None, ...]:
    """Give labels of which a namespace must have one to join, None where it needs none."""
    if plane.all_namespaces:
        return (None,)
    key = plane.selector.key
    # exempt namespaces join by the plane's own label whatever the selector says
    return (key,) if key in {None, plane.label} else (key, plane.label)


def _facts(nad: Nad, previous: Catalog | None) -> NadFacts:
    if previous is not None:
        old = previous.nads.get(nad.ref)
        if old is not None and old.config == nad.config and _resource(old) == _resource(nad):
            return previous.facts[nad.ref]
    return nad_facts(nad)


def _resource(nad: Nad) -> str:
    return nad.annotations.get(RESOURCE_NAME_ANNOTATION, "")


def _wires(
    planes: tuple[Plane, ...], facts: Mapping[NadRef, NadFacts], previous: Catalog | None
) -> WireIndex:
    """Index planes by wire; the same index, with all it remembers, where nothing has changed."""
    owned = tuple([(plane, facts.get(plane.ref, _NO_FACTS).wires) for plane in planes])
    if previous is not None and previous.wires.owned == owned:
        return previous.wires
    return WireIndex(owned)


def _lint(nad: Nad, facts: NadFacts, previous: Catalog | None) -> tuple[Finding, ...]:
    if previous is not None and previous.nads.get(nad.ref) is nad:
        return previous.lint.get(nad.ref, ())
    return lint_nad(nad, facts)
