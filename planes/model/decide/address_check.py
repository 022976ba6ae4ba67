"""Check the addresses that an attachment asks for, against its plane or its NAD's own IPAM.

The claims answer early and name the holder; the address book has the last word on the node.
"""

from __future__ import annotations

from ipaddress import IPv4Interface, IPv6Address

from planes.model.addresses import AddressRange, IPAddress, range_of
from planes.model.decide.drafts import Draft
from planes.model.decide.findings import Findings
from planes.model.errors import Finding
from planes.model.objects import Pod
from planes.model.spec.address_policy import refusal
from planes.model.spec.plane_spec import IpamMode, Plane
from planes.model.state.catalog import Catalog
from planes.model.state.nad_facts import DEAF_IPAMS, STATIC_IPAMS, NadFacts

_LAST_WITH_BROADCAST = 30
"""The longest IPv4 prefix with network and broadcast address (RFC 3021 spares /31)."""


def check_addresses(draft: Draft, pod: Pod, catalog: Catalog, findings: Findings) -> None:
    """Check every requested address of one attachment."""
    if not draft.asked or draft.ref not in catalog.nads:
        return
    plane = draft.plane
    facts = catalog.facts_of(draft.ref)
    _check_together(draft, plane, findings)
    for index, (address, prefix) in enumerate(draft.asked):
        fault = None
        if plane is not None:
            fault = _plane_fault(plane, pod, draft, index)
        if fault is None and (plane is None or not plane.subnets):
            fault = _nad_fault(facts, address, prefix, draft.ip_path(index), findings)
        if fault is not None:
            draft.refused_ips |= {index}
        fault = fault or _rival(draft, index, pod, catalog, findings)
        if fault is not None:
            findings.enforce(plane, [fault])
    if plane is None or plane.ipam_mode is IpamMode.NAD:
        _warn_unheard(draft, facts, findings)


def _check_together(draft: Draft, plane: Plane | None, findings: Findings) -> None:
    """Compare the addresses with each other, and with the families that the plane has."""
    if len(draft.asked) == 1 and (plane is None or len(plane.families) < 2):
        return
    addresses = [address for address, _ in draft.asked]
    path = draft.ips_path
    if len(set(addresses)) < len(addresses):
        findings.refuse(path, "cannot give an interface one address twice", "remove one of them")
    if plane is None or plane.ipam_mode is not IpamMode.PLANE:
        return
    versions = [address.version for address in addresses]
    for version in (4, 6):
        count = versions.count(version)
        if count > 1:
            findings.refuse(
                path,
                f"cannot give an interface {count} IPv{version} addresses: plane {plane.name} "
                "gives one of each family",
                "ask for one",
            )
    for version in sorted(plane.families.difference(versions)):
        findings.warn(
            path,
            f"the pod gets no IPv{version} address of plane {plane.name}: it asks for others only",
            f"ask for an IPv{version} address too",
        )


def _plane_fault(plane: Plane, pod: Pod, draft: Draft, index: int) -> Finding | None:
    address, prefix = draft.asked[index]
    refused = refusal(plane, pod, address)
    if refused is not None:
        path = draft.ip_path(index)
        message = f"cannot give the pod {address}: {refused.cause}"
        return Finding(path, message, refused.remedy, refused.status)
    subnet = None if prefix is None else plane.subnet_of(address)
    if subnet is None or prefix == subnet.cidr.prefixlen:
        return None
    return Finding(
        draft.ip_path(index),
        f"cannot use prefix length /{prefix}: {address} is in {subnet.cidr} of plane {plane.name}",
        f"write {address}/{subnet.cidr.prefixlen}",
    )


def _nad_fault(
    facts: NadFacts, address: IPAddress, prefix: int | None, path: str, findings: Findings
) -> Finding | None:
    if facts.ipam_type == "static" and prefix is None:
        return Finding(
            path,
            f"cannot give the pod {address}: the NAD's static IPAM needs a prefix length",
            f"write {address}/{24 if address.version == 4 else 64} or the subnet's own length",
        )
    found = facts.range_of(address)
    if facts.ipam_type == "host-local" and facts.ranges:
        spans = ", ".join(str(each.span) for each in facts.ranges)
        if found is None or address not in found.span or address == found.gateway:
            what = "the gateway" if found and address == found.gateway else "outside its ranges"
            return Finding(
                path,
                f"cannot give the pod {address}: for the NAD's host-local IPAM it is {what}",
                f"ask for one of {spans}",
            )
    if found is not None and prefix not in {None, found.subnet.prefixlen}:
        findings.warn(
            path,
            f"prefix length /{prefix} is not that of the NAD's subnet",
            f"write {address}/{found.subnet.prefixlen}",
        )
    return None if prefix is None else _end_of_subnet(address, prefix, path)


def _end_of_subnet(address: IPAddress, prefix: int, path: str) -> Finding | None:
    if isinstance(address, IPv6Address) or prefix > _LAST_WITH_BROADCAST:
        return None
    network = IPv4Interface((address, prefix)).network
    if address not in {network.network_address, network.broadcast_address}:
        return None
    role = "network" if address == network.network_address else "broadcast"
    return Finding(
        path,
        f"cannot give the pod {address}: it is the {role} address of {network}",
        "ask for a host's address",
    )


def _rival(
    draft: Draft, index: int, pod: Pod, catalog: Catalog, findings: Findings
) -> Finding | None:
    ref, address = draft.ref, draft.asked[index][0]
    rival = catalog.rival(ref, address, pod.key)
    if rival is None:
        return None
    spans = _suggestable(draft, address, catalog) if findings.may_hint() else ()
    free = catalog.free(ref, spans, address, pod.key) if spans else ()
    remedy = f"free now: {', '.join(map(str, free))}" if free else "ask for another address"
    verb = "has it" if rival.is_attached else "asks for it already"
    message = f"cannot give the pod {address}: pod {rival.pod} {verb}"
    return Finding(draft.ip_path(index), message, remedy, 409)


def _suggestable(draft: Draft, address: IPAddress, catalog: Catalog) -> tuple[AddressRange, ...]:
    if draft.plane is not None and draft.plane.subnets:
        subnet = draft.plane.subnet_of(address)
        return subnet.askable if subnet is not None else ()
    found = catalog.facts_of(draft.ref).range_of(address)
    if found is None:
        return ()
    if found.span.size > 1:
        return (found.span,)
    whole = range_of(found.subnet)
    return (AddressRange(whole.nth(1), whole.nth(whole.size - 2)),) if whole.size > 3 else ()


def _warn_unheard(draft: Draft, facts: NadFacts, findings: Findings) -> None:
    if not facts.is_known or facts.fault:
        return
    path = draft.ips_path
    ref = draft.ref
    if facts.ipam_type in DEAF_IPAMS or not facts.ipam_type:
        ipam = f"the {facts.ipam_type} IPAM" if facts.ipam_type else "no IPAM"
        findings.warn(
            path,
            f"NAD {ref} has {ipam}, which ignores requested addresses",
            f"use IPAM {', '.join(sorted(STATIC_IPAMS - {'plane'}))} or a plane",
        )
    elif "ips" not in facts.capabilities:
        findings.warn(
            path,
            f"NAD {ref} declares no ips capability: the address goes to its plugin as CNI_ARGS IP=",
            'add "capabilities": {"ips": true} to the NAD',
        )
