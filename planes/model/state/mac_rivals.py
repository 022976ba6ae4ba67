"""Rivals for a MAC on a plane's wire: another pod that asks for it there, or has it.

A wire has several networks: planes, and NADs of tenants. Claims count of namespaces that joined a
plane of the wire, as no other pod may be on it. A MAC is handed out by nobody, so nothing decides
later what this index misses but the kernel of one node.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from planes.model.bounds import MAX_LOOKED_AT
from planes.model.objects import NadRef
from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog
from planes.model.state.claim_index import ClaimScope, ahead_of
from planes.model.state.claims import Claim
from planes.model.state.wire_index import planes_in


def planes_on_wire(ref: NadRef, catalog: Catalog) -> tuple[Plane, ...]:
    """Return the planes on whose wires a network is, its own one first."""
    own = catalog.plane_of(ref)
    others = planes_in(catalog.plane_wires(ref))
    return others if own is None else (own, *others)


def mac_rival(
    ref: NadRef, planes: Sequence[Plane], mac: bytes, pod: str, catalog: Catalog
) -> Claim | None:
    """Return the claim that keeps a pod from a MAC on the wires of planes, None without one.

    Args:
        ref: the network that the pod wants it on.
        planes: those of `planes_on_wire`.
        mac: six bytes.
        pod: `namespace/name`.
        catalog: the current planes, NADs and claims.
    """
    claims = catalog.claims
    refs = {ref, *(plane.ref for plane in planes)}
    names = {plane.name for plane in planes}
    for other in islice(claims.networks_with_mac(mac), MAX_LOOKED_AT):
        if other not in refs and any(one.name in names for one in planes_on_wire(other, catalog)):
            refs.add(other)
    found = [claim for each in sorted(refs) for claim in claims.holders(each, mac)]
    own = pod.partition("/")[0]

    def counts(namespace: str) -> bool:
        known = catalog.namespace_of(namespace)
        return namespace == own or (
            known is not None
            and any(plane.name in names for plane in catalog.membership(known).planes)
        )

    return ahead_of(pod, found, ClaimScope(counts))
