"""The catalog: one immutable snapshot of planes, NADs and claims, indexed for decisions.

Everything a decision looks up is prepared when the catalog is built, so that a review costs the
same with two namespaces and with five thousand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from planes.model.claims import ClaimIndex
from planes.model.errors import Finding
from planes.model.nad_facts import NadFacts, nad_facts
from planes.model.nad_lint import lint_nad
from planes.model.names import PLANE_LABEL_PREFIX, shown
from planes.model.objects import Nad, NadRef, Namespace
from planes.model.plane_spec import JOINED, REQUIRED, Plane
from planes.model.render import plane_nad
from planes.model.suggest import close_names

_NO_FACTS = NadFacts(is_known=False)


@dataclass(frozen=True, slots=True)
class Catalog:
    """Planes in their order, NADs by name, claims of addresses. Make one with `build`.

    Attributes:
        nads: hand-written NADs and those rendered from planes.
        facts: what each NAD's configuration says.
        lint: warnings about hand-written NADs.
        namespace_isolation: Multus' option: a NAD serves its own namespace only.
        global_namespaces: namespaces whose NADs serve everybody under isolation.
    """

    planes: tuple[Plane, ...] = ()
    nads: Mapping[NadRef, Nad] = field(default_factory=dict)
    facts: Mapping[NadRef, NadFacts] = field(default_factory=dict)
    lint: Mapping[NadRef, tuple[Finding, ...]] = field(default_factory=dict)
    claims: ClaimIndex = field(default_factory=ClaimIndex)
    namespace_isolation: bool = False
    global_namespaces: frozenset[str] = frozenset({"default"})
    _by_name: Mapping[str, Plane] = field(default_factory=dict)
    _by_ref: Mapping[NadRef, Plane] = field(default_factory=dict)
    _by_label: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    _anywhere: tuple[int, ...] = ()
    _nad_names: Mapping[str, tuple[NadRef, ...]] = field(default_factory=dict)

    @classmethod
    def build(
        cls,
        planes: Iterable[Plane] = (),
        nads: Iterable[Nad] = (),
        claims: ClaimIndex | None = None,
        *,
        namespace_isolation: bool = False,
        global_namespaces: Iterable[str] = ("default",),
        previous: Catalog | None = None,
    ) -> Catalog:
        """Index planes and NADs; with `previous` NADs that have not changed are not read again.

        A rendered NAD takes the place of a hand-written one of the same name: it is repaired.
        """
        ordered = tuple(sorted(planes, key=lambda plane: (plane.order, plane.name)))
        rendered = [nad for nad in map(plane_nad, ordered) if nad is not None]
        by_nad = {nad.ref: nad for nad in (*nads, *rendered)}
        by_ref: dict[NadRef, Plane] = {}
        for plane in ordered:
            by_ref.setdefault(plane.ref, plane)
        names: dict[str, tuple[NadRef, ...]] = {}
        for ref in sorted(by_nad):
            names[ref.name] = (*names.get(ref.name, ()), ref)
        by_label: dict[str | None, tuple[int, ...]] = {}
        for index, plane in enumerate(ordered):
            for key in _label_keys(plane):
                by_label[key] = (*by_label.get(key, ()), index)
        facts = {ref: _facts(nad, previous) for ref, nad in by_nad.items()}
        lint = {ref: lint_nad(nad, facts[ref]) for ref, nad in by_nad.items()}
        return cls(
            planes=ordered,
            nads=by_nad,
            facts=facts,
            lint={ref: found for ref, found in lint.items() if found},
            claims=claims or ClaimIndex(),
            namespace_isolation=namespace_isolation,
            global_namespaces=frozenset(global_namespaces),
            _by_name={plane.name: plane for plane in ordered},
            _by_ref=by_ref,
            _by_label={key: found for key, found in by_label.items() if key is not None},
            _anywhere=by_label.get(None, ()),
            _nad_names=names,
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

    def planes_for(self, namespace: Namespace) -> tuple[Plane, ...]:
        """Give the planes a namespace joins, in order; no pod is looked at."""
        found = set(self._anywhere)
        for key in namespace.labels:
            found.update(self._by_label.get(key, ()))
        planes = [self.planes[index] for index in sorted(found)]
        return tuple([plane for plane in planes if plane.joined_by(namespace)])

    def facts_of(self, ref: NadRef) -> NadFacts:
        """Give what a NAD's configuration says."""
        return self.facts.get(ref, _NO_FACTS)

    def same_named(self, name: str) -> tuple[NadRef, ...]:
        """Give the NADs of a name in all namespaces, sorted."""
        return self._nad_names.get(name, ())

    def close_to(self, ref: NadRef) -> tuple[NadRef, ...]:
        """Give NADs whose names look like a wrong one: its namespace's, then any plane's."""
        near = {nad.name for nad in self.nads if nad.namespace == ref.namespace}
        planes = {plane.ref.name: plane.ref for plane in self.planes}
        found = [NadRef(ref.namespace, name) for name in close_names(ref.name, near)]
        found += [planes[name] for name in close_names(ref.name, planes)]
        return tuple(dict.fromkeys(found))

    def label_faults(self, namespace: Namespace) -> tuple[list[Finding], list[Finding]]:
        """List plane labels that join nothing: errors where a plane is required, else warnings."""
        errors: list[Finding] = []
        warnings: list[Finding] = []
        for key, value in namespace.labels.items():
            if not key.startswith(PLANE_LABEL_PREFIX):
                continue
            path = f"namespace.metadata.labels[{key}]"
            name = key.removeprefix(PLANE_LABEL_PREFIX)
            if value not in {JOINED, REQUIRED}:
                message = f"{shown(value)} is neither {JOINED} nor {REQUIRED}: it joins nothing"
                remedy = f"set it to {JOINED} or {REQUIRED}, or remove it"
                warnings.append(Finding(path, message, remedy))
            elif name not in self._by_name:
                close = close_names(name, self._by_name)
                remedy = f"did you mean {close[0]}?" if close else "create the plane, or remove it"
                if value == REQUIRED:
                    message = f"cannot attach the required plane {shown(name)}: there is none"
                    errors.append(Finding(path, message, remedy))
                else:
                    warnings.append(Finding(path, f"there is no plane {shown(name)}", remedy))
        return errors, warnings


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
        if old is not None and old.config == nad.config:
            return previous.facts[nad.ref]
    return nad_facts(nad)
