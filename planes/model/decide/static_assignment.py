"""Assign static addresses to drafts: from the annotation, else from the plane's reservations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from planes.model.addresses import AddressRange, IPAddress
from planes.model.annotations.selection import Selection
from planes.model.bounds import MAX_LOOKED_AT, MAX_LOOKED_AT_OF_POD
from planes.model.decide.drafts import Draft
from planes.model.decide.findings import Findings
from planes.model.errors import Finding
from planes.model.near_names import closest_name, did_you_mean
from planes.model.objects import Pod
from planes.model.spec.plane_spec import Allow, IpamMode, Plane
from planes.model.state.catalog import Catalog
from planes.model.state.static_ips import AddressList, assign

_FEW: Final = 32  # addresses of every list that are looked up at least


def assign_addresses(
    drafts: Sequence[Draft],
    lists: Mapping[str, AddressList],
    pod: Pod,
    catalog: Catalog,
    findings: Findings,
    *,
    joined: Sequence[Plane],
    is_complete: bool,
) -> None:
    """Assign each plane's static addresses to its draft; one that has addresses must agree.

    `joined` are the planes that the pod may have. `is_complete` is False where an element cannot be
    read: it may be the one of a plane, so a plane without draft is no error then.
    """
    for draft in drafts:
        plane = draft.plane
        if plane is not None and plane.reservations and plane.name not in lists:
            _reserved([each for each in drafts if each.plane is plane], plane, pod, catalog)
    most = min(MAX_LOOKED_AT, max(_FEW, MAX_LOOKED_AT_OF_POD // max(1, len(lists))))
    for name, addresses in lists.items():
        attached = [draft for draft in drafts if draft.plane and draft.plane.name == name]
        if not attached:
            if is_complete or catalog.plane(name) is None:
                fault = _not_attached(name, addresses.path, pod, catalog, findings, joined=joined)
                findings.errors.append(fault)
        elif addresses.spans:
            _assign(attached, addresses, pod, catalog, findings, most=most)


def _not_attached(
    name: str,
    path: str,
    pod: Pod,
    catalog: Catalog,
    findings: Findings,
    *,
    joined: Sequence[Plane],
) -> Finding:
    """Return why a list of addresses has no draft; only joined planes are suggested."""
    plane = catalog.plane(name)
    if plane is None:
        names = (each.name for each in joined)
        close = closest_name(name, names) if findings.may_hint() else ""
        remedy = did_you_mean(close, "name a plane, see kubectl get planes")
        return Finding(path, "cannot give an address of a plane that does not exist", remedy)
    return Finding(
        path,
        f"cannot give an address of plane {name}: the pod is not attached to it",
        f"label namespace {pod.namespace} with {plane.label}: enabled, or add {plane.ref} to the "
        "networks of the pod",
        plane=plane.name,
    )


def _assign(
    attached: Sequence[Draft],
    addresses: AddressList,
    pod: Pod,
    catalog: Catalog,
    findings: Findings,
    *,
    most: int,
) -> None:
    plane = attached[0].plane
    if plane is None:
        return
    written = [draft for draft in attached if draft.ips]
    found = assign(pod, plane, addresses, catalog.rival, most=most)
    if not written:
        findings.enforce(plane, found.errors)
        _assign_to(attached[0], plane, found.ips, addresses)
        attached[0].candidates = found.candidates
        return
    # An earlier review wrote the addresses, or the user wrote them twice: both must agree, and a
    # replica has the address of its own place in the list.
    asked = {address for draft in written for address, _ in draft.asked}
    if not asked.issuperset(found.ips) or not all(address in addresses for address in asked):
        findings.enforce(plane, [_differs(addresses, found.ips or found.candidates)])
        return
    for draft in written:
        draft.source = addresses


def _differs(addresses: AddressList, ips: Sequence[IPAddress]) -> Finding:
    shown = ", ".join(map(str, ips[:3])) or "another address"
    return Finding(
        addresses.path,
        f"cannot follow both annotations: this one gives {shown}, the network selection another",
        "remove ips from the network selection, or the plane from this annotation",
    )


def _assign_to(draft: Draft, plane: Plane, ips: Sequence[IPAddress], source: AddressList) -> None:
    if not ips:
        return
    asked = [(address, _prefix(plane, address)) for address in ips]
    texts = tuple([str(ip) if length is None else f"{ip}/{length}" for ip, length in asked])
    draft.ips, draft.asked, draft.source = texts, tuple(asked), source
    old = draft.selection
    if draft.is_new:
        draft.selection = Selection(
            old.name, old.namespace, old.interface, texts, default_route=old.default_route
        )
    else:
        draft.selection = replace(old, ips=texts)
        draft.is_completed = True


def _prefix(plane: Plane, address: IPAddress) -> int | None:
    subnet = plane.subnet_of(address)
    return None if subnet is None else subnet.cidr.prefixlen


def _reserved(attached: Sequence[Draft], plane: Plane, pod: Pod, catalog: Catalog) -> None:
    """Assign the addresses that are reserved for a pod, as far as they are free."""
    own = list(plane.reserved_for(pod))
    path = f"spec.staticIPs.reservations of plane {plane.name}"
    if (
        not own
        or plane.allow is Allow.NEVER
        or plane.ipam_mode is IpamMode.NONE
        or any(draft.ips for draft in attached)
    ):
        return
    by_ordinal = [entry for entry in own if entry.ordinal is not None]
    if by_ordinal:
        given = _one_each([entry.address for entry in by_ordinal])
        _assign_to(attached[0], plane, given, AddressList((), path))
        return
    spans = tuple(AddressRange(entry.address, entry.address) for entry in own)
    source = AddressList(spans, path)
    found = assign(pod, plane, source, catalog.rival)
    if not found.errors and not any(
        catalog.rival(plane.ref, address, pod.key) for address in found.ips
    ):
        _assign_to(attached[0], plane, found.ips, source)
        attached[0].candidates = found.candidates


def _one_each(addresses: Sequence[IPAddress]) -> list[IPAddress]:
    found: dict[int, IPAddress] = {}
    for address in addresses:
        found.setdefault(address.version, address)
    return list(found.values())
