"""Membership: the planes that a namespace's labels join or require, and faults of these labels."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from planes.model.bounds import MAX_FINDINGS, MAX_HINTS
from planes.model.errors import Finding
from planes.model.names import JOINED_LABEL, NETPLANE_NAMESPACE, PLANE_LABEL_PREFIX, shown
from planes.model.near_names import closest_name, did_you_mean, nearest_name
from planes.model.objects import NadRef, Namespace
from planes.model.spec.plane_spec import JOINED, REQUIRED, Plane
from planes.model.state.rivals import Withheld

_MOST_REMEMBERED = 8192
"""More than the namespaces of a large cluster; bounds the cache of deleted ones."""
LABELS_PATH = "namespace.metadata.labels["
"""Prefix of the paths of findings about labels."""
_OUR_DOMAIN = "netplane.io"
_VALUES = (JOINED, REQUIRED)


@dataclass(frozen=True, slots=True)
class Membership:
    """The planes of a namespace, whatever its pods are.

    Attributes:
        planes: in their order.
        required: names of planes without which no pod of the namespace starts.
        errors: required planes that do not exist, at most `MAX_FINDINGS`.
        warnings: as many about other labels that join nothing, and planes that share a NAD.
        withheld: planes it joined that are not in force because of another one.
    """

    planes: tuple[Plane, ...] = ()
    required: frozenset[str] = frozenset()
    errors: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    withheld: tuple[Withheld, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything that is wrong with it, for the user who labels the namespace."""
        held = (each.finding(_label_path(each.plane.label)) for each in self.withheld)
        return (*self.errors, *self.warnings, *held)

    def findings_of(self, labels: Collection[str]) -> tuple[Finding, ...]:
        """Return the findings about some labels, and those about no label."""
        paths = {_label_path(key) for key in labels}
        return tuple(
            each
            for each in self.findings
            if each.path in paths or not each.path.startswith(LABELS_PATH)
        )


def _label_path(key: str) -> str:
    return f"{LABELS_PATH}{key}]"


class Memberships:
    """A cache of memberships, one for each namespace as it is."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[str, tuple[Namespace, Membership]] = {}

    def of(
        self, namespace: Namespace, compute: Callable[[Namespace], Membership], *, is_kept: bool
    ) -> Membership:
        """Return a membership, computed where it is not cached; it is cached if `is_kept`."""
        known = self._found.get(namespace.name)
        if known is not None and known[0] is namespace:
            return known[1]
        membership = compute(namespace)
        if is_kept:
            if len(self._found) >= _MOST_REMEMBERED:
                self._found.clear()
            self._found[namespace.name] = (namespace, membership)
        return membership


def membership_of(
    namespace: Namespace,
    candidates: Sequence[Plane],
    by_name: Mapping[str, Plane],
    withheld: Mapping[NadRef, Withheld],
) -> Membership:
    """Return the membership of a namespace.

    Args:
        namespace: with its labels.
        candidates: the planes it may have joined, in order.
        by_name: all planes in force.
        withheld: planes that are not in force because of another one, by NAD.
    """
    planes = tuple([plane for plane in candidates if plane.joined_by(namespace)])
    errors: list[Finding] = []
    warnings: list[Finding] = []
    for key, value in namespace.labels.items():
        if key.startswith(PLANE_LABEL_PREFIX):
            name = key.removeprefix(PLANE_LABEL_PREFIX)
            if value not in _VALUES or NadRef(NETPLANE_NAMESPACE, name) not in withheld:
                _check_label(key, value, by_name, errors, warnings)
        elif _OUR_DOMAIN in key:
            _check_key(key, by_name, warnings)
    warnings += _shared_nads(planes)
    held = tuple([each for each in withheld.values() if each.plane.joined_by(namespace)])
    joined = [*planes, *(each.plane for each in held)]
    return Membership(
        planes,
        frozenset([plane.name for plane in joined if plane.is_required_by(namespace)]),
        tuple(errors),
        tuple(warnings),
        held,
    )


def required_by_label(namespace: Namespace) -> tuple[str, ...]:
    """Return the names of planes that a namespace's labels require, sorted; they may not exist."""
    return tuple(
        sorted(
            key.removeprefix(PLANE_LABEL_PREFIX)
            for key, value in namespace.labels.items()
            if value == REQUIRED and key.startswith(PLANE_LABEL_PREFIX)
        )
    )


def _check_label(
    key: str,
    value: str,
    by_name: Mapping[str, Plane],
    errors: list[Finding],
    warnings: list[Finding],
) -> None:
    found = errors if value == REQUIRED else warnings
    if len(found) >= MAX_FINDINGS:
        return
    path = _label_path(key)
    name = key.removeprefix(PLANE_LABEL_PREFIX)
    if value not in _VALUES:
        message = f"{shown(value)} is neither {JOINED} nor {REQUIRED}: it joins nothing"
        meant = did_you_mean(nearest_name(value.strip().lower()[:64], _VALUES))
        remedy = f"{meant} set it to {JOINED} or {REQUIRED}, or remove it".lstrip()
        warnings.append(Finding(path, message, remedy))
    elif name not in by_name:
        close = closest_name(name, by_name) if len(found) < MAX_HINTS else ""
        remedy = did_you_mean(close, "create the plane, or remove it")
        if value == REQUIRED:
            message = f"cannot attach the required plane {shown(name)}: there is none"
            errors.append(Finding(path, message, remedy, plane=name[:63]))
        else:
            warnings.append(Finding(path, f"there is no plane {shown(name)}", remedy))


def _check_key(key: str, by_name: Mapping[str, Plane], warnings: list[Finding]) -> None:
    """Warn of a key that looks like the label of a plane, as `planes.netplane.io/business`."""
    domain, _, name = key.partition("/")
    is_ours = domain == _OUR_DOMAIN or domain.endswith(f".{_OUR_DOMAIN}")
    if is_ours and key != JOINED_LABEL and name in by_name and len(warnings) < MAX_FINDINGS:
        message = "no plane goes by this label: it joins nothing"
        remedy = did_you_mean(PLANE_LABEL_PREFIX + name)
        warnings.append(Finding(_label_path(key), message, remedy))


def _shared_nads(planes: Sequence[Plane]) -> list[Finding]:
    by_nad: dict[NadRef, list[str]] = {}
    for plane in planes:
        by_nad.setdefault(plane.ref, []).append(plane.name)
    return [shared_nad(ref, names) for ref, names in by_nad.items() if len(names) > 1]


def shared_nad(ref: NadRef, names: Sequence[str]) -> Finding:
    """Return a warning that several planes name one NAD: the first one's rules apply."""
    return Finding(
        f"spec.network.nadRef of planes {', '.join(names)}",
        f"planes {', '.join(names)} share NAD {ref}: a pod gets one interface of it, and the "
        f"rules of plane {names[0]} hold",
        "give each plane a NAD of its own",
    )
