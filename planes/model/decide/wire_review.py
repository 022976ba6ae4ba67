"""Check a NAD by the planes on its wires, before any pod uses it: for reviews and events.

The rules are those for a pod (`wire_check`), applied to pods of the NAD's own namespace.
"""

from __future__ import annotations

from collections.abc import Iterator

from planes.model.decide.wire_check import ipam_faults, plane_ipam_fault
from planes.model.errors import Finding
from planes.model.objects import NadRef, Namespace, Pod
from planes.model.spec.address_policy import hard_refusal
from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog
from planes.model.state.nad_facts import NadFacts
from planes.model.state.wire_index import PlaneWires, planes_in

_CONFIG = "spec.config"
_FORBIDDEN = 403


def review_wires(
    ref: NadRef, facts: NadFacts, namespace: Namespace, catalog: Catalog
) -> Iterator[Finding]:
    """Yield why pods of a NAD's namespace cannot use it, or not all its addresses.

    Args:
        ref: the NAD; it need not be in the catalog, or not as it is there.
        facts: what its configuration says.
        namespace: its namespace.
        catalog: the planes.
    """
    yield from review_wires_joined(ref, facts, namespace, catalog)
    yield from review_supplies(ref, facts, namespace, catalog)


def review_wires_joined(
    ref: NadRef, facts: NadFacts, namespace: Namespace, catalog: Catalog
) -> Iterator[Finding]:
    """Yield an error for each plane's wire that it is on and its namespace has not joined."""
    if catalog.plane_of(ref) is None:
        yield from _not_joined(catalog.wires.match(facts.wires, own=ref), namespace)


def review_supplies(
    ref: NadRef, facts: NadFacts, namespace: Namespace, catalog: Catalog
) -> Iterator[Finding]:
    """Yield an error for addresses of planes that it may not hand out, whatever is joined."""
    for supply in facts.supplies:
        fault = plane_ipam_fault(supply, ref, f"NAD {ref}", _CONFIG, catalog)
        if fault is not None:
            yield fault
    if catalog.plane_of(ref) is None:
        for plane in planes_in(catalog.wires.match(facts.wires, own=ref)):
            yield from _addresses(plane, ref, facts, namespace)


def _not_joined(plane_wires: PlaneWires, namespace: Namespace) -> Iterator[Finding]:
    for wire, planes in plane_wires:
        first = planes[0]
        if any(each.shared or each.joined_by(namespace) for each in planes):
            continue
        yield Finding(
            _CONFIG,
            f"it is on {wire}, the wire of plane {first.name}, which namespace {namespace.name} "
            "has not joined: its pods cannot use it",
            f"name another, or have an administrator label namespace {namespace.name} with "
            f"{first.label}; network.shared of the plane opens its wire to everybody",
            _FORBIDDEN,
        )


def _addresses(
    plane: Plane, ref: NadRef, facts: NadFacts, namespace: Namespace
) -> Iterator[Finding]:
    pod = Pod(namespace.name, "")
    for supply in facts.supplies:
        if not plane.shared:
            yield from ipam_faults(f"NAD {ref}", _CONFIG, plane, supply)
        for address in supply.fixed:
            refused = hard_refusal(plane, pod, address)
            if refused is not None:
                message = f"cannot give pods {address}: {refused.cause}"
                yield Finding(_CONFIG, message, refused.remedy, refused.status)
