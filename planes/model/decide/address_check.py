"""Check the addresses that an attachment asks for, by its plane or its NAD's own IPAM.

Conflicts are found early by the claims of pods; the address book on the node decides them.
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
from planes.model.state.nad_facts import IGNORING_IPAMS, STATIC_IPAMS, NadFacts
from planes.model.state.rollout import ROLLOUT_REMEDY, address_taken, deployment_of

_LAST_WITH_BROADCAST = 30
"""The longest IPv4 prefix with network and broadcast address (RFC 3021 spares /31)."""


def check_addresses(draft: Draft, pod: Pod, catalog: Catalog, findings: Findings) -> None:
    """Check every requested address of one attachment."""
    if not draft.asked or draft.ref not in catalog.nads:
        return
    plane = draft.plane
    facts = catalog.facts_of(draft.ref)
    _check_families(draft, plane, findings)
    is_faulty = False
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
            is_faulty = True
            findings.enforce(plane, [fault])
    if not is_faulty:
        _warn_of_one_address(draft, pod, findings)
    if plane is None or plane.ipam_mode is IpamMode.NAD:
        _warn_ignored(draft, facts, findings)


def _check_families(draft: Draft, plane: Plane | None, findings: Findings) -> None:
    """Check that the addresses differ, and are one of each family of the plane."""
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
    """Return why another pod has an address; on networks of no plane only warn, as Multus attaches.

    On a network of each node only pods of one node conflict, and there host-local refuses it.
    """
    ref, address = draft.ref, draft.asked[index][0]
    rival = catalog.rival(ref, address, pod.key, pod.node)
    if rival is None:
        if catalog.is_of_node(ref) and not pod.node:
            _warn_of_others(draft, index, pod, catalog, findings)
        return None
    path = draft.ip_path(index)
    if draft.plane is None and not draft.is_on_wire and not catalog.is_of_node(ref):
        verb = "has it too" if rival.is_attached else "asks for it too"
        findings.warn(
            path,
            f"pod {rival.pod} {verb}: on one segment neither is reached reliably with {address}",
            "give each pod an address of its own; of a rolling update this ends with the old pod",
        )
        return None
    spans = _free_spans(draft, address, catalog) if findings.may_hint() else ()
    free = catalog.free(ref, spans, address, pod.key) if spans else ()
    return address_taken(path, address, rival, pod, free=free)


def _warn_of_one_address(draft: Draft, pod: Pod, findings: Findings) -> None:
    """Warn of a Deployment's pod whose addresses no second pod can have: a rollout may hang.

    The pod does not show its Deployment's strategy. A pod whose owner has no UID was derived from
    the Deployment's manifest, which `workload_check` checks.
    """
    deployment = deployment_of(pod) if pod.owner_uid else ""
    plane = draft.governed_by
    is_of_author = draft.ips_path.startswith("metadata.")  # a taken reserved address is not used
    if not deployment or plane is None or not is_of_author or not findings.is_strict(plane):
        return
    shown = ", ".join(str(address) for address, _ in draft.asked[:2])
    findings.warn(
        draft.ips_path,
        f"one address, {shown}, for pods of Deployment {deployment}: a rolling update would wait "
        "for ever, unless it ends the old pod before the new one starts",
        f"{ROLLOUT_REMEDY}, or list a second address, where none of it is so",
    )


def _warn_of_others(
    draft: Draft, index: int, pod: Pod, catalog: Catalog, findings: Findings
) -> None:
    """Warn where another pod has the address on a bridge of each node: two nodes may have it."""
    ref, address = draft.ref, draft.asked[index][0]
    other = next((one for one in catalog.claims.holders(ref, address) if one.pod != pod.key), None)
    if other is not None and other.namespace == pod.namespace:
        findings.warn(
            draft.ip_path(index),
            f"pod {other.pod} asks for {address} too: on one node only one of them starts, as NAD "
            f"{ref} is a network of each node",
            "run them on different nodes (podAntiAffinity), or ask for another address",
        )


def _free_spans(draft: Draft, address: IPAddress, catalog: Catalog) -> tuple[AddressRange, ...]:
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


def _warn_ignored(draft: Draft, facts: NadFacts, findings: Findings) -> None:
    if not facts.is_known or facts.fault:
        return
    path = draft.ips_path
    ref = draft.ref
    if facts.ipam_type in IGNORING_IPAMS or not facts.ipam_type:
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
