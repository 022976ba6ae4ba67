"""Check that a tenant's NAD does not share host-local's address files with another namespace.

Host-local keeps addresses in files of the node by the network's name. Networks of one name share
them, in whatever namespace their NADs are: pods of one could take all addresses of the other. Where
NADs are guarded, a tenant's NAD may not have the name and addresses of another namespace's network,
except where both are on one wire, as copies of one network are. The networks of administrators and
planes have precedence, then those that were created first.
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
    """Return an error where a tenant's NAD would take another NAD's addresses; None otherwise.

    Args:
        nad: it need not be in the catalog, or not as it is there.
        facts: what its configuration says.
        path: of the field that names it.
        catalog: the other NADs.
    """
    checks = catalog.nad_checks
    if not checks.policy.restricts(nad.namespace) or not facts.pool:
        return None
    namesakes = catalog.index.pools.get(facts.pool) or ()
    ref = checks.owner(
        nad, namesakes, catalog.planes, lambda: _owner(nad, facts, namesakes, catalog)
    )
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
    """Return the NAD whose addresses another one would take.

    Of tenants' NADs a bounded number is compared, the oldest, so that many of them cost no more.
    """
    own = Namesake(nad.created or NOT_YET, nad.ref)
    left = MAX_LOOKED_AT
    for other in namesakes:
        ref = other.ref
        if ref.namespace == nad.namespace:
            continue
        if catalog.nad_checks.policy.is_tenant(ref.namespace) and catalog.plane_of(ref) is None:
            if other > own or left == 0:
                continue
            left -= 1
        if _is_taken_from(facts, catalog.facts_of(ref)):
            return ref
    return None


def _is_taken_from(facts: NadFacts, others: NadFacts) -> bool:
    """Report whether two networks of one name have addresses in common, on different wires."""
    if any(one.touches(other) for one in facts.wires for other in others.wires):
        return False
    for one in facts.supplies:
        for other in others.supplies:
            if one.ipam_type == other.ipam_type == HOST_LOCAL and (
                not (one.is_known and other.is_known)
                or any(span.overlaps(each) for span in one.ranges for each in other.ranges)
            ):
                return True
    return False
