"""Whose the addresses are that host-local keeps in files of the node, by the network's name.

Networks of one name share their files, whoever wrote the NADs: pods of one take addresses until
none is left for pods of the other, and nobody of those sees why. Where NADs are guarded, a NAD of a
tenant has its own: it may not have the name and addresses of another namespace's network, but where
both stand on one wire, as copies of one network do. Administrators' networks and those of planes
come first, then those that were created first.
"""

from __future__ import annotations

from collections.abc import Sequence

from planes.model.bounds import MAX_LOOKED_AT
from planes.model.errors import Finding
from planes.model.objects import Nad, NadRef
from planes.model.state.catalog import Catalog
from planes.model.state.nad_facts import NadFacts
from planes.model.state.nad_index import NOT_YET, Namesake
from planes.model.state.supplies import HOST_LOCAL

_FORBIDDEN = 403


def pool_fault(nad: Nad, facts: NadFacts, path: str, catalog: Catalog) -> Finding | None:
    """Say whose addresses a tenant's NAD would take; None where it has its own.

    Args:
        nad: it need not be in the catalog, or not as it is there.
        facts: what its configuration says.
        path: where it is named.
        catalog: the other NADs.
    """
    gate = catalog.gate
    if not gate.policy.restricts(nad.namespace) or not facts.pool:
        return None
    namesakes = catalog.index.pools.get(facts.pool) or ()
    ref = gate.owner(nad, namesakes, catalog.planes, lambda: _owner(nad, facts, namesakes, catalog))
    if ref is None:
        return None
    return Finding(
        path,
        f"cannot use NAD {nad.ref}: its network has the name of NAD {ref}'s, whose addresses it "
        "would take",
        'give "name" in its spec.config another value',
        _FORBIDDEN,
    )


def _owner(
    nad: Nad, facts: NadFacts, namesakes: Sequence[Namesake], catalog: Catalog
) -> NadRef | None:
    """Give the NAD whose addresses another one would take.

    Of those of tenants the oldest are looked at, so that nobody makes this slow by having many.
    """
    own = Namesake(nad.created or NOT_YET, nad.ref)
    left = MAX_LOOKED_AT
    for other in namesakes:
        ref = other.ref
        if ref.namespace == nad.namespace:
            continue
        if catalog.gate.policy.is_tenant(ref.namespace) and catalog.plane_of(ref) is None:
            if other > own or left == 0:
                continue
            left -= 1
        if _is_taken_from(facts, catalog.facts_of(ref)):
            return ref
    return None


def _is_taken_from(mine: NadFacts, others: NadFacts) -> bool:
    """Report whether two networks of one name have addresses in common, on different wires."""
    if any(one.touches(other) for one in mine.wires for other in others.wires):
        return False
    for one in mine.supplies:
        for other in others.supplies:
            if one.ipam_type == other.ipam_type == HOST_LOCAL and (
                not (one.is_known and other.is_known)
                or any(span.overlaps(each) for span in one.ranges for each in other.ranges)
            ):
                return True
    return False
