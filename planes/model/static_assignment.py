"""Give static addresses to drafts: from the annotation, else from the plane's reservations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from planes.model.addresses import AddressRange, IPAddress
from planes.model.catalog import Catalog
from planes.model.drafts import Draft
from planes.model.errors import Finding
from planes.model.findings import Findings
from planes.model.objects import Pod
from planes.model.plane_spec import Allow, IpamMode, Plane
from planes.model.static_ips import STATIC_IPS_PATH, AddressList, Assignment, assign
from planes.model.suggest import close_names


def assign_addresses(
    drafts: Sequence[Draft],
    lists: Mapping[str, AddressList],
    pod: Pod,
    catalog: Catalog,
    findings: Findings,
) -> None:
    """Put each plane's static addresses into the draft that has none, and check the others."""
    by_plane: dict[str, list[Draft]] = {}
    for draft in drafts:
        if draft.plane is not None:
            by_plane.setdefault(draft.plane.name, []).append(draft)
    for name, addresses in lists.items():
        attached = by_plane.pop(name, [])
        plane = attached[0].plane if attached else None
        if plane is None:
            findings.errors.append(_not_attached(name, pod, catalog))
        elif addresses.spans:
            found = assign(pod, plane, addresses, catalog.claims)
            _assign(attached, plane, addresses, found, findings)
    for attached in by_plane.values():
        if attached[0].plane is not None and attached[0].plane.reservations:
            _reserved(attached, attached[0].plane, pod, catalog)


def _not_attached(name: str, pod: Pod, catalog: Catalog) -> Finding:
    path = f"{STATIC_IPS_PATH}.{name[:63]}"
    plane = catalog.plane(name)
    if plane is None:
        close = close_names(name, (each.name for each in catalog.planes))
        remedy = f"did you mean {close[0]}?" if close else "name a plane, see kubectl get planes"
        return Finding(path, "cannot give an address of a plane that does not exist", remedy)
    return Finding(
        path,
        f"cannot give an address of plane {name}: the pod is not attached to it",
        f"label namespace {pod.namespace} with {plane.label}: enabled, or add {plane.ref} to the "
        "networks of the pod",
    )


def _assign(
    attached: Sequence[Draft],
    plane: Plane,
    addresses: AddressList,
    found: Assignment,
    findings: Findings,
) -> None:
    written = [draft for draft in attached if draft.ips]
    if not written:
        findings.enforce(plane, found.errors)
        _give(attached[0], plane, found.ips)
        attached[0].candidates = found.candidates
        return
    # An earlier review put the addresses there, or the user wrote them twice: both must agree,
    # and a replica must keep to its own place in the list.
    asked = {address for draft in written for address, _ in draft.asked}
    if not all(_agrees(draft, addresses) for draft in written) or not set(found.ips) <= asked:
        findings.enforce(plane, [_differs(plane, found.ips or found.candidates)])


def _agrees(draft: Draft, addresses: AddressList) -> bool:
    return all(address in addresses for address, _ in draft.asked)


def _differs(plane: Plane, ips: Sequence[IPAddress]) -> Finding:
    shown = ", ".join(map(str, ips[:3])) or "another address"
    return Finding(
        f"{STATIC_IPS_PATH}.{plane.name}",
        f"cannot follow both annotations: this one gives {shown}, the network selection another",
        "remove ips from the network selection, or the plane from this annotation",
    )


def _give(draft: Draft, plane: Plane, ips: Sequence[IPAddress]) -> None:
    if not ips:
        return
    texts = tuple(_with_prefix(plane, address) for address in ips)
    draft.ask(texts)
    draft.selection = replace(draft.selection, ips=texts)
    draft.is_completed = not draft.is_new


def _with_prefix(plane: Plane, address: IPAddress) -> str:
    subnet = plane.subnet_of(address)
    return str(address) if subnet is None else f"{address}/{subnet.cidr.prefixlen}"


def _reserved(attached: Sequence[Draft], plane: Plane, pod: Pod, catalog: Catalog) -> None:
    """Give a pod what is reserved for it without being asked, as far as it is free."""
    own = list(plane.reserved_for(pod))
    if (
        not own
        or plane.allow is Allow.NEVER
        or plane.ipam_mode is IpamMode.NONE
        or any(draft.ips for draft in attached)
    ):
        return
    by_ordinal = [entry for entry in own if entry.ordinal is not None]
    if by_ordinal:
        _give(attached[0], plane, _one_each([entry.address for entry in by_ordinal]))
        return
    spans = tuple(AddressRange(entry.address, entry.address) for entry in own)
    found = assign(pod, plane, AddressList(spans), catalog.claims)
    if not found.errors and not any(
        catalog.claims.rival(plane.ref, address, pod.key) for address in found.ips
    ):
        _give(attached[0], plane, found.ips)
        attached[0].candidates = found.candidates


def _one_each(addresses: Sequence[IPAddress]) -> list[IPAddress]:
    found: dict[int, IPAddress] = {}
    for address in addresses:
        found.setdefault(address.version, address)
    return list(found.values())
