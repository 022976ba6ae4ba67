"""Indexes of planes: by label, and by the network name and wires of their NADs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from planes.model.errors import Finding
from planes.model.objects import NadRef
from planes.model.spec.plane_spec import Plane
from planes.model.state.kubelet_devices import no_device
from planes.model.state.membership import shared_nad
from planes.model.state.nad_facts import NadFacts
from planes.model.state.nad_index import NadIndex
from planes.model.state.wire_index import WireIndex

NO_FACTS = NadFacts(is_known=False)
_K = TypeVar("_K")
_V = TypeVar("_V")


def grouped(pairs: Iterable[tuple[_K, _V]]) -> dict[_K, tuple[_V, ...]]:
    """Return the values of each key, in their order."""
    found: dict[_K, list[_V]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in found.items()}


def index_networks(planes: tuple[Plane, ...], index: NadIndex) -> Mapping[str, Plane]:
    """Index planes by the network names in their NADs' configurations."""
    facts = index.facts
    return {facts[plane.ref].network: plane for plane in reversed(planes) if plane.ref in facts}


def plane_warnings(
    by_ref: Mapping[NadRef, tuple[Plane, ...]], index: NadIndex
) -> Iterator[Finding]:
    """Yield warnings about planes by their NADs."""
    yield from shared_nads(by_ref)
    for ref in by_ref:
        lacking = index.facts.get(ref, NO_FACTS).lacks_device
        if lacking:
            message, remedy = no_device(ref, lacking)
            names = ", ".join(plane.name for plane in by_ref[ref])
            yield Finding(f"spec.network of planes {names}", message, remedy)


def shared_nads(by_ref: Mapping[NadRef, tuple[Plane, ...]]) -> Iterator[Finding]:
    """Yield a warning for each NAD that backs several planes."""
    for ref, backed in by_ref.items():
        if len(backed) > 1:
            yield shared_nad(ref, [plane.name for plane in backed])


def label_keys(plane: Plane) -> tuple[str | None, ...]:
    """Return labels of which a namespace must have one to join, None where it needs none."""
    if plane.all_namespaces:
        return (None,)
    key = plane.selector.key
    # exempt namespaces join by the plane's own label whatever the selector says
    return (key,) if key in {None, plane.label} else (key, plane.label)


def index_wires(
    planes: tuple[Plane, ...], index: NadIndex, previous: WireIndex | None
) -> WireIndex:
    """Index planes by wire; the previous index with its cache where nothing has changed."""
    owned = tuple([(plane, index.facts.get(plane.ref, NO_FACTS).wires) for plane in planes])
    if previous is not None and previous.owned == owned:
        return previous
    return WireIndex(owned)
