"""Whose the addresses are that host-local keeps in files of the node, by the network's name.

Networks of one name share their files, whoever wrote the NADs: pods of one take addresses until
none is left for pods of the other, and nobody of those sees why. Where NADs are guarded, a NAD of a
tenant has its own: it may not have the name and addresses of another namespace's network, but where
both stand on one wire, as copies of one network do. Administrators' networks and those of planes
come first, then those that were created first.
"""

from __future__ import annotations

from planes.model.errors import Finding
from planes.model.objects import Nad, NadRef
from planes.model.state.catalog import Catalog
from planes.model.state.nad_facts import NadFacts
from planes.model.state.supplies import HOST_LOCAL

_NOT_YET = "~"  # after every time stamp
_FORBIDDEN = 403


def pool_fault(nad: Nad, facts: NadFacts, path: str, catalog: Catalog) -> Finding | None:
    """Say whose addresses a tenant's NAD would take; None where it has its own.

    Args:
        nad: it need not be in the catalog, or not as it is there.
        facts: what its configuration says.
        path: where it is named.
        catalog: the other NADs.
    """
    if not catalog.gate.policy.restricts(nad.namespace) or not facts.pool:
        return None
    rank = _rank(nad.ref, nad, catalog)
    for ref in catalog.index.pools.get(facts.pool) or ():
        other = catalog.nads.get(ref)
        if (
            other is not None
            and ref.namespace != nad.namespace
            and _rank(ref, other, catalog) < rank
            and _is_taken_from(facts, catalog.facts_of(ref))
        ):
            return Finding(
                path,
                f"cannot use NAD {nad.ref}: its network has the name of NAD {ref}'s, whose "
                "addresses it would take",
                'give "name" in its spec.config another value',
                _FORBIDDEN,
            )
    return None


def _rank(ref: NadRef, nad: Nad, catalog: Catalog) -> tuple[bool, str, NadRef]:
    is_tenant = catalog.gate.policy.is_tenant(ref.namespace) and catalog.plane_of(ref) is None
    return is_tenant, nad.created or _NOT_YET, ref


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
