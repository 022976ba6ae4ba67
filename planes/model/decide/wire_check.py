"""NADs of others on the wires of planes: who may use them, with which addresses.

A network stands on a plane's wire where any of its plugins leads there. It is usable only by pods
that joined a plane of each such wire; what it may be asked for is that plane's to permit
(`Draft.governed_by`); an address of a plane's subnet, asked for or written into the configuration,
is judged by that plane's rules and held in its address book while the pod runs; and an IPAM that
hands out addresses of the subnets by itself, or does not say which, is refused. With
`network.shared` of a plane none of this is asked, but nobody takes its gateway, an address reserved
for another or one that a pod has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from planes.model.addresses import IPAddress, range_of
from planes.model.decide.access import why_not_joined
from planes.model.decide.drafts import Draft
from planes.model.decide.findings import Findings
from planes.model.errors import Finding
from planes.model.objects import NadRef, Namespace, Pod
from planes.model.spec.address_policy import hard_refusal, refusal
from planes.model.spec.plane_spec import IpamMode, Plane
from planes.model.state.catalog import Catalog
from planes.model.state.supplies import PLANE_IPAM, Supply
from planes.model.state.wire import Wire, WireKind, device_wire
from planes.model.state.wire_index import Stand, planes_in

_FORBIDDEN = 403
_TAKEN = 409
_SHOWN_TYPE = 32
_MOST_SHOWN = 3  # ranges of an IPAM, and planes of a NAD


@dataclass(frozen=True, slots=True)
class _Subject:
    """Whose network is judged, and against what."""

    draft: Draft
    pod: Pod
    namespace: Namespace
    catalog: Catalog
    findings: Findings
    stand: Stand
    supplies: tuple[Supply, ...]


def check_wires(
    drafts: Sequence[Draft],
    pod: Pod,
    namespace: Namespace,
    catalog: Catalog,
    findings: Findings,
    *,
    beside: frozenset[Wire] = frozenset(),
) -> None:
    """Judge every draft that stands on wires of planes not its own, and note what governs it.

    `drafts` are all attachments of the pod, `beside` the wires of others that it has already:
    one of them may be on an interface that another brings.
    """
    lower: frozenset[Wire] = frozenset()
    for draft in drafts:
        if draft.plane is not None and draft.plane.nad_ref is None:
            continue  # rendered from the plane
        facts = catalog.facts_of(draft.ref)
        path = f"{draft.path}.name"
        for supply in facts.supplies:
            fault = plane_ipam_fault(supply, draft.ref, _what(draft), path, catalog)
            if fault is not None:
                findings.errors.append(fault)
        if draft.plane is not None:
            continue
        stand = catalog.stand_of(draft.ref)
        inner = [wire for wire in facts.wires if wire.kind is WireKind.INNER]
        if inner:
            lower = lower or beside.union(*(catalog.facts_of(each.ref).wires for each in drafts))
            stand = (*stand, *catalog.wires.stand_above(inner, lower))
        if draft.selection.device_id:
            device = device_wire(draft.selection.device_id)
            stand = (*stand, *catalog.wires.stand_on((device,)))
        if stand:
            subject = _Subject(draft, pod, namespace, catalog, findings, stand, facts.supplies)
            _judge(subject)


def plane_ipam_fault(
    supply: Supply, ref: NadRef, what: str, path: str, catalog: Catalog
) -> Finding | None:
    """Say why an IPAM of type `plane` works in the plane's own NAD alone; None where it may be.

    The plane's quota and status count what its own NAD hands out.
    """
    if supply.ipam_type != PLANE_IPAM:
        return None
    plane = catalog.plane(supply.plane)
    if plane is not None and plane.ref == ref:
        return None
    name = supply.plane[:63] or "(no name)"
    return Finding(
        path,
        f"cannot use {what}: its IPAM hands out addresses of plane {name}, and it is not the "
        "plane's own NAD",
        f"use NAD {plane.ref}" if plane is not None else "give the NAD another IPAM",
        _FORBIDDEN,
    )


def _judge(subject: _Subject) -> None:
    draft, findings = subject.draft, subject.findings
    refused = list(_find_governing(subject))
    if refused:
        findings.errors += refused[:_MOST_SHOWN]
        return
    planes = planes_in(subject.stand)
    closed = [each for each in planes if not each.shared]
    draft.guards = tuple([each for each in closed if findings.is_strict(each)])
    for index, (address, _) in enumerate(draft.asked):
        fault = _address_fault(subject, planes, address, draft.ip_path(index), "")
        if fault is not None:
            draft.refused_ips |= {index}
    _check_supplies(subject, planes, closed)
    if subject.catalog.facts_of(draft.ref).chooses_mac:
        for plane in closed:
            if not plane.allow_mac:
                findings.enforce(plane, [_mac_fault(subject, plane)])


def _check_supplies(subject: _Subject, planes: Sequence[Plane], closed: Sequence[Plane]) -> None:
    """Judge what the configuration hands out by itself, to the first few errors."""
    draft, findings = subject.draft, subject.findings
    path, which = f"{draft.path}.name", f", which {_what(draft)} gives to every pod"
    enough = len(findings.errors) + _MOST_SHOWN
    for supply in subject.supplies:
        for plane in closed:
            findings.enforce(plane, own_pool(_what(draft), path, plane, supply))
            if len(findings.errors) >= enough:
                return
        for address in supply.fixed:
            _address_fault(subject, planes, address, path, which)
            if len(findings.errors) >= enough:
                return


def _mac_fault(subject: _Subject, plane: Plane) -> Finding:
    what = _what(subject.draft)
    return Finding(
        f"{subject.draft.path}.name",
        f"cannot use {what}: it chooses the MAC of its pods, on the wire of plane {plane.name}, "
        "which does not allow it",
        "remove mac from the NAD, or use the plane's own NAD",
        _FORBIDDEN,
    )


def _find_governing(subject: _Subject) -> Iterator[Finding]:
    """Note the first plane that the pod joined; yield why it may not be on a wire."""
    draft = subject.draft
    for wire, planes in subject.stand:
        if all(each.shared for each in planes):
            continue
        joined = [each for each in planes if each.matches(subject.namespace, subject.pod)]
        if not joined:
            yield _not_joined(subject, wire, planes[0])
        elif draft.governing is None:
            draft.governing = joined[0]


def _not_joined(subject: _Subject, wire: Wire, plane: Plane) -> Finding:
    draft = subject.draft
    why, how = why_not_joined(plane, subject.pod, subject.namespace)
    if any(each.kind is WireKind.LINK and not each.name for each in _wires(subject)):
        how += ", or name a master that is no plane's in the NAD"
    return Finding(
        f"{draft.path}.name",
        f"cannot use {_what(draft)}: it is on {wire}, the wire of plane {plane.name}, and {why}",
        f"{how}; network.shared of the plane opens its wire to everybody",
        _FORBIDDEN,
    )


def _what(draft: Draft) -> str:
    """Name a network: one that came without a NAD has no namespace."""
    return f"NAD {draft.ref}" if draft.ref.namespace else f"network {draft.ref.name}"


def _wires(subject: _Subject) -> frozenset[Wire]:
    return subject.catalog.facts_of(subject.draft.ref).wires


def _address_fault(
    subject: _Subject, planes: Sequence[Plane], address: IPAddress, path: str, which: str
) -> Finding | None:
    """Judge an address by each plane that has it in a subnet; hold it where it may be had."""
    draft, findings = subject.draft, subject.findings
    for plane in planes:
        if plane.subnet_of(address) is None:
            continue
        fault = _rule_fault(subject, plane, address, path, which) or _rival(
            subject, plane, address, path, which
        )
        if fault is not None:
            findings.enforce(plane, [fault])
            return fault
        held = draft.holds.get(plane.name, ())
        if not plane.shared and address not in held:
            draft.held = {**draft.holds, plane.name: (*held, address)}
    return None


def _rule_fault(
    subject: _Subject, plane: Plane, address: IPAddress, path: str, which: str
) -> Finding | None:
    pod, held = subject.pod, subject.draft.holds.get(plane.name, ())
    if plane.shared:
        refused = hard_refusal(plane, pod, address)
    elif not plane.matches(subject.namespace, pod):
        why, how = why_not_joined(plane, pod, subject.namespace)
        message = f"cannot give the pod {address}{which}: it is plane {plane.name}'s, and {why}"
        return Finding(path, message, how, _FORBIDDEN)
    elif any(other.version == address.version and other != address for other in held):
        message = f"cannot give the pod {address}{which}: it has another of plane {plane.name}"
        return Finding(path, message, "give an interface one address of each family")
    else:
        refused = refusal(plane, pod, address)
    if refused is None:
        return None
    message = f"cannot give the pod {address}{which}: {refused.cause}"
    return Finding(path, message, refused.remedy, refused.status)


def _rival(
    subject: _Subject, plane: Plane, address: IPAddress, path: str, which: str
) -> Finding | None:
    catalog, draft = subject.catalog, subject.draft
    refs: list[NadRef] = [plane.ref, draft.ref] if which else [plane.ref]
    for ref in refs:
        rival = catalog.rival(ref, address, subject.pod.key)
        if rival is not None:
            verb = "has it" if rival.is_attached else "asks for it already"
            message = f"cannot give the pod {address}{which}: pod {rival.pod} {verb}"
            return Finding(path, message, "ask for another address", _TAKEN)
    return None


def own_pool(what: str, path: str, plane: Plane, supply: Supply) -> Iterator[Finding]:
    """Yield why an IPAM may not hand out addresses beside a plane, on its wire."""
    if supply.ipam_type == PLANE_IPAM or not plane.subnets:
        return
    subnets = [range_of(subnet.cidr) for subnet in plane.subnets]
    shared = [span for span in supply.ranges if any(span.overlaps(each) for each in subnets)]
    if shared:
        spans = ", ".join(map(str, shared[:_MOST_SHOWN]))
        how = f"hands out {spans} of plane {plane.name} by itself"
    elif not supply.is_known:
        how = f"may hand out addresses of plane {plane.name} by itself"
    else:
        return
    named = plane.ipam_mode is IpamMode.PLANE
    yield Finding(
        path,
        f"cannot use {what}: its IPAM {supply.ipam_type[:_SHOWN_TYPE]} {how}, on the plane's wire: "
        "addresses would be given out twice",
        (f"use NAD {plane.ref}" if named else "give it addresses outside the plane's subnets")
        + "; network.shared of the plane lets it",
        _FORBIDDEN,
    )
