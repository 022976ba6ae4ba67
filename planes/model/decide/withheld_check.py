"""Check addresses of withheld planes: those not in force because of another plane on their wire.

Older pods keep their addresses of such a plane. The plane in force on the wire has no rules for
these addresses, so without this check its namespaces could use them by NADs of their own. An
address in a subnet of a plane in force is judged by that plane.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from planes.model.addresses import AddressRange, IPAddress, range_of
from planes.model.decide.drafts import Draft
from planes.model.decide.findings import Findings
from planes.model.errors import Finding
from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog
from planes.model.state.supplies import Supply

_FORBIDDEN = 403


def check_withheld_addresses(
    draft: Draft,
    planes: Sequence[Plane],
    supplies: Iterable[Supply],
    catalog: Catalog,
    findings: Findings,
) -> None:
    """Refuse addresses that pods may have of planes which are not in force.

    Args:
        draft: an attachment that is no plane's.
        planes: the planes in force on whose wires it stands.
        supplies: what its configuration hands out by itself.
        catalog: the current planes.
        findings: errors are added here.
    """
    names = {plane.name for plane in planes}
    closed = [each.plane for each in catalog.withheld.values() if each.rival in names]
    if not closed:
        return
    for index, (address, _) in enumerate(draft.asked):
        for plane in _owners(AddressRange(address, address), closed, planes):
            findings.enforce(plane, [_fault(plane, address, draft.ip_path(index))])
            draft.refused_ips |= {index}
    for span in _spans(supplies):
        for plane in _owners(span, closed, planes):
            what = span.first if span.size == 1 else span
            findings.enforce(plane, [_fault(plane, what, f"{draft.path}.name")])
            return  # one error for a NAD is enough


def _spans(supplies: Iterable[Supply]) -> Iterator[AddressRange]:
    for supply in supplies:
        yield from supply.ranges
        yield from (AddressRange(address, address) for address in supply.fixed)


def _owners(
    span: AddressRange, closed: Iterable[Plane], planes: Iterable[Plane]
) -> Iterator[Plane]:
    """Yield the planes not in force that have addresses of a span which no plane in force has."""
    if any(span.first in each and span.last in each for plane in planes for each in _whole(plane)):
        return
    for plane in closed:
        if any(span.overlaps(each) for each in _whole(plane)):
            yield plane


def _whole(plane: Plane) -> Iterator[AddressRange]:
    return (range_of(subnet.cidr) for subnet in plane.subnets)


def _fault(plane: Plane, what: IPAddress | AddressRange, path: str) -> Finding:
    return Finding(
        path,
        f"cannot give the pod {what}: it is plane {plane.name}'s, which is not in force, and pods "
        "from before have its addresses",
        f"use addresses outside its subnets, or have an administrator mend plane {plane.name}",
        _FORBIDDEN,
    )
