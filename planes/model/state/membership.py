"""What a namespace's labels mean for its pods: planes joined, planes required, labels at fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from planes.model.bounds import MAX_FINDINGS, MAX_HINTS
from planes.model.errors import Finding
from planes.model.names import PLANE_LABEL_PREFIX, shown
from planes.model.objects import NadRef, Namespace
from planes.model.spec.plane_spec import JOINED, REQUIRED, Plane
from planes.model.state.suggest import close_names


@dataclass(frozen=True, slots=True)
class Membership:
    """The planes of a namespace; no pod was looked at.

    Attributes:
        planes: in their order.
        required: names of planes without which no pod of the namespace starts.
        errors: required planes that do not exist; of many the first `MAX_FINDINGS`.
        warnings: as many of other labels that join nothing, and planes that share a NAD.
    """

    planes: tuple[Plane, ...] = ()
    required: frozenset[str] = frozenset()
    errors: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()


def membership_of(
    namespace: Namespace, candidates: Sequence[Plane], by_name: Mapping[str, Plane]
) -> Membership:
    """Work out a membership, from the planes it may have joined, in order, and all by name."""
    planes = tuple([plane for plane in candidates if plane.joined_by(namespace)])
    errors: list[Finding] = []
    warnings: list[Finding] = []
    for key, value in namespace.labels.items():
        if key.startswith(PLANE_LABEL_PREFIX):
            _check_label(key, value, by_name, errors, warnings)
    warnings += _shared_nads(planes)
    return Membership(
        planes,
        frozenset([plane.name for plane in planes if plane.is_required_by(namespace)]),
        tuple(errors),
        tuple(warnings),
    )


def required_by_label(namespace: Namespace) -> tuple[str, ...]:
    """Name the planes that a namespace's labels require, sorted, whether they exist or not."""
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
    path = f"namespace.metadata.labels[{key}]"
    name = key.removeprefix(PLANE_LABEL_PREFIX)
    if value not in {JOINED, REQUIRED}:
        message = f"{shown(value)} is neither {JOINED} nor {REQUIRED}: it joins nothing"
        remedy = f"set it to {JOINED} or {REQUIRED}, or remove it"
        warnings.append(Finding(path, message, remedy))
    elif name not in by_name:
        close = close_names(name, by_name) if len(found) < MAX_HINTS else ()
        remedy = f"did you mean {close[0]}?" if close else "create the plane, or remove it"
        if value == REQUIRED:
            message = f"cannot attach the required plane {shown(name)}: there is none"
            errors.append(Finding(path, message, remedy))
        else:
            warnings.append(Finding(path, f"there is no plane {shown(name)}", remedy))


def _shared_nads(planes: Sequence[Plane]) -> list[Finding]:
    by_nad: dict[NadRef, list[str]] = {}
    for plane in planes:
        by_nad.setdefault(plane.ref, []).append(plane.name)
    return [shared_nad(ref, names) for ref, names in by_nad.items() if len(names) > 1]


def shared_nad(ref: NadRef, names: Sequence[str]) -> Finding:
    """Say that several planes name one NAD: a pod gets one interface, by the first one's rules."""
    return Finding(
        f"spec.network.nadRef of planes {', '.join(names)}",
        f"planes {', '.join(names)} share NAD {ref}: a pod gets one interface of it, and the "
        f"rules of plane {names[0]} hold",
        "give each plane a NAD of its own",
    )
