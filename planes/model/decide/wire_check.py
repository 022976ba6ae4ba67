"""Check NADs that are no plane's but on the wire of one: which pods may use them, and how.

A network is on a plane's wire where any of its plugins attaches to that wire. Only pods that joined
a plane of each such wire may use it, and that plane permits what may be asked for
(`Draft.governed_by`). An address of a plane's subnet, asked for or in the configuration, is judged
by that plane's rules and held in its address book while the pod runs. An IPAM that hands out
addresses of the subnets by itself, or does not say which, is refused. With `network.shared` of a
plane only its gateway, addresses reserved for others and addresses of other pods are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from planes.model.addresses import IPAddress, range_of
from planes.model.decide.access import why_not_joined
from planes.model.decide.drafts import Draft
from planes.model.decide.findings import Findings
from planes.model.decide.withheld_check import check_withheld_addresses
from planes.model.errors import Finding
from planes.model.objects import NadRef, Namespace, Pod
from planes.model.spec.address_policy import hard_refusal, refusal
from planes.model.spec.plane_spec import IpamMode, Plane
from planes.model.state.catalog import Catalog
from planes.model.state.nad_facts import DEFAULT_IPVLAN_MODE
from planes.model.state.rollout import address_taken
from planes.model.state.supplies import PLANE_IPAM, Supply
from planes.model.state.wire import Wire, WireKind, device_wire
from planes.model.state.wire_index import PlaneWires, planes_in

_FORBIDDEN = 403
_SHOWN_TYPE = 32
_MOST_SHOWN = 3  # ranges of an IPAM, and planes of a NAD


@dataclass(frozen=True, slots=True)
class _WireDraft:
    """A draft on planes' wires, and the state by which it is judged."""

    draft: Draft
    pod: Pod
    namespace: Namespace
    catalog: Catalog
    findings: Findings
    plane_wires: PlaneWires
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
    """Check every draft on wires of other planes, and set the plane that governs it.

    `drafts` are all attachments of the pod, `beside` the wires of further ones that it has already:
    a draft may be on an interface of another attachment.
    """
    lower: frozenset[Wire] = frozenset()
    for draft in drafts:
        if draft.plane is not None and draft.plane.nad_ref is None:
            continue  # rendered from the plane
        if draft.ref in catalog.withheld:
            continue  # rendered from a plane that is not in force, and refused for that
        facts = catalog.facts_of(draft.ref)
        for supply in facts.supplies:
            if supply.ipam_type == PLANE_IPAM:
                path = f"{draft.path}.name"
                fault = plane_ipam_fault(supply, draft.ref, _what(draft), path, catalog)
                findings.errors += [] if fault is None else [fault]
        if draft.plane is not None:
            continue
        plane_wires = catalog.plane_wires(draft.ref)
        inner = [wire for wire in facts.wires if wire.kind is WireKind.INNER]
        if inner:
            lower = lower or beside.union(*(catalog.facts_of(each.ref).wires for each in drafts))
            plane_wires = (*plane_wires, *catalog.wires.match_inner(inner, lower))
        if draft.selection.device_id:
            device = device_wire(draft.selection.device_id)
            plane_wires = (*plane_wires, *catalog.wires.match((device,)))
        if plane_wires:
            draft.is_on_wire = True
            checked = _WireDraft(
                draft, pod, namespace, catalog, findings, plane_wires, facts.supplies
            )
            _judge(checked)


def plane_ipam_fault(
    supply: Supply, ref: NadRef, what: str, path: str, catalog: Catalog
) -> Finding | None:
    """Return an error for an IPAM of type `plane` in another NAD than the plane's; None else.

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
        name,
    )


def _judge(checked: _WireDraft) -> None:
    draft, findings = checked.draft, checked.findings
    refused = list(_find_governing(checked))
    if refused:
        findings.errors += refused[:_MOST_SHOWN]
        return
    planes = planes_in(checked.plane_wires)
    closed = [each for each in planes if not each.shared]
    draft.guards = tuple([each for each in closed if findings.is_strict(each)])
    for index, (address, _) in enumerate(draft.asked):
        fault = _address_fault(checked, planes, address, draft.ip_path(index), "")
        if fault is not None:
            draft.refused_ips |= {index}
    _check_supplies(checked, planes, closed)
    check_withheld_addresses(draft, planes, checked.supplies, checked.catalog, findings)
    for plane in planes:
        findings.enforce(plane, list(_mode_faults(checked, plane)))
    if checked.catalog.facts_of(draft.ref).chooses_mac:
        for plane in closed:
            if not plane.allow_mac:
                findings.enforce(plane, [_mac_fault(checked, plane)])


def _check_supplies(checked: _WireDraft, planes: Sequence[Plane], closed: Sequence[Plane]) -> None:
    """Check the addresses that the configuration hands out by itself, to the first few errors."""
    draft, findings = checked.draft, checked.findings
    path, which = f"{draft.path}.name", f", which {_what(draft)} gives to every pod"
    enough = len(findings.errors) + _MOST_SHOWN
    for supply in checked.supplies:
        for plane in closed:
            findings.enforce(plane, ipam_faults(_what(draft), path, plane, supply))
            if len(findings.errors) >= enough:
                return
        for address in supply.fixed:
            _address_fault(checked, planes, address, path, which)
            if len(findings.errors) >= enough:
                return


def _mac_fault(checked: _WireDraft, plane: Plane) -> Finding:
    what = _what(checked.draft)
    return Finding(
        f"{checked.draft.path}.name",
        f"cannot use {what}: it chooses the MAC of its pods, on the wire of plane {plane.name}, "
        "which does not allow it",
        "remove mac from the NAD, or use the plane's own NAD",
        _FORBIDDEN,
    )


def _mode_faults(checked: _WireDraft, plane: Plane) -> Iterator[Finding]:
    """Yield an error where an ipvlan would change the mode of those of a plane: the master's."""
    own = checked.catalog.facts_of(plane.ref).ipvlan_modes
    if plane.network is not None and plane.network.type == "ipvlan":
        own = frozenset({plane.network.mode or DEFAULT_IPVLAN_MODE})
    if own and not checked.catalog.facts_of(checked.draft.ref).ipvlan_modes <= own:
        yield Finding(
            f"{checked.draft.path}.name",
            f"cannot use {_what(checked.draft)}: it would change the mode of all ipvlans of plane "
            f"{plane.name}",
            f"set mode {', '.join(sorted(own))} in the NAD, or use the plane's own NAD",
            _FORBIDDEN,
        )


def _find_governing(checked: _WireDraft) -> Iterator[Finding]:
    """Set the first plane that the pod joined as governing; yield errors for wires not joined."""
    draft = checked.draft
    for wire, planes in checked.plane_wires:
        if all(each.shared for each in planes):
            continue
        joined = [each for each in planes if each.matches(checked.namespace, checked.pod)]
        if not joined:
            yield _not_joined(checked, wire, planes[0])
        elif draft.governing is None:
            draft.governing = joined[0]


def _not_joined(checked: _WireDraft, wire: Wire, plane: Plane) -> Finding:
    draft = checked.draft
    why, how = why_not_joined(plane, checked.pod, checked.namespace)
    if any(each.kind is WireKind.LINK and not each.name for each in _wires(checked)):
        how += ", or name a master that is no plane's in the NAD"
    return Finding(
        f"{draft.path}.name",
        f"cannot use {_what(draft)}: it is on {wire}, the wire of plane {plane.name}, and {why}",
        f"{how}; network.shared of the plane opens its wire to everybody",
        _FORBIDDEN,
        plane.name,
    )


def _what(draft: Draft) -> str:
    """Return a network's name for texts: one that came without a NAD has no namespace."""
    return f"NAD {draft.ref}" if draft.ref.namespace else f"network {draft.ref.name}"


def _wires(checked: _WireDraft) -> frozenset[Wire]:
    return checked.catalog.facts_of(checked.draft.ref).wires


def _address_fault(
    checked: _WireDraft, planes: Sequence[Plane], address: IPAddress, path: str, which: str
) -> Finding | None:
    """Check an address by each plane with it in a subnet; hold it where the plane permits it."""
    draft, findings = checked.draft, checked.findings
    for plane in planes:
        if plane.subnet_of(address) is None:
            continue
        fault = _rule_fault(checked, plane, address, path, which) or _rival(
            checked, plane, address, path, which
        )
        if fault is not None:
            findings.enforce(plane, [fault])
            return fault
        held = draft.holds.get(plane.name, ())
        if not plane.shared and address not in held:
            draft.held = {**draft.holds, plane.name: (*held, address)}
    return None


def _rule_fault(
    checked: _WireDraft, plane: Plane, address: IPAddress, path: str, which: str
) -> Finding | None:
    pod, held = checked.pod, checked.draft.holds.get(plane.name, ())
    if plane.shared:
        refused = hard_refusal(plane, pod, address)
    elif not plane.matches(checked.namespace, pod):
        why, how = why_not_joined(plane, pod, checked.namespace)
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
    checked: _WireDraft, plane: Plane, address: IPAddress, path: str, which: str
) -> Finding | None:
    catalog, draft = checked.catalog, checked.draft
    refs: list[NadRef] = [plane.ref, draft.ref] if which else [plane.ref]
    for ref in refs:
        rival = catalog.rival(ref, address, checked.pod.key)
        if rival is not None:
            return address_taken(path, address, rival, checked.pod, source=which)
    return None


def ipam_faults(what: str, path: str, plane: Plane, supply: Supply) -> Iterator[Finding]:
    """Yield an error where an IPAM on a plane's wire may hand out the plane's addresses itself."""
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
