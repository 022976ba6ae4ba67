"""Quotas: how much a namespace may hold in a plane, counted from the claims of its pods.

The count is not exact: pods reviewed at the same time do not see each other.
"""

from __future__ import annotations

from collections.abc import Sequence

from planes.model.decide.drafts import Draft
from planes.model.decide.findings import Findings
from planes.model.errors import Finding
from planes.model.objects import NadRef, Namespace, Pod
from planes.model.spec.plane_spec import IpamMode, Plane, Quota
from planes.model.state.catalog import Catalog
from planes.model.state.claims import Usage


def check_quota(
    drafts: Sequence[Draft], pod: Pod, namespace: Namespace, catalog: Catalog, findings: Findings
) -> None:
    """Check the quota of each plane that has one."""
    wanted: dict[str, tuple[Plane, Usage]] = {}
    for draft in drafts:
        plane = draft.governed_by
        if plane is None or not plane.has_quota:
            continue
        _, so_far = wanted.get(plane.name, (plane, Usage()))
        wanted[plane.name] = (plane, so_far + _usage(draft, plane))
    for plane, usage in wanted.values():
        held = _held(plane, pod, namespace, catalog)
        findings.enforce(plane, _breaches(plane, plane.quota_for(namespace), held, usage, pod))


def _held(plane: Plane, pod: Pod, namespace: Namespace, catalog: Catalog) -> Usage:
    """Count what other pods of the namespace hold, on the plane's NAD and others on its wire."""
    claims = catalog.claims
    total = claims.usage(plane.ref, namespace.name, without=pod.key)
    for ref in claims.networks_of(namespace.name):
        if ref in catalog.nads and _governs(plane, ref, namespace, catalog):
            total += claims.usage(ref, namespace.name, without=pod.key)
    return total


def _governs(plane: Plane, ref: NadRef, namespace: Namespace, catalog: Catalog) -> bool:
    """Report whether a plane's rules apply to another NAD, as in `check_wires`."""
    if catalog.plane_of(ref) is not None:
        return False
    for _, planes in catalog.plane_wires(ref):
        if not all(each.shared for each in planes):
            return next((one for one in planes if one.joined_by(namespace)), None) is plane
    return False


def _usage(draft: Draft, plane: Plane) -> Usage:
    if draft.plane is None:  # another's NAD on the plane's wire
        held = len(draft.holds.get(plane.name, ()))
        return Usage(held, 1, held)
    fixed = len(draft.ips)
    is_chosen = bool(draft.candidates or draft.selection.ipam_claim_reference)
    dynamic = len(plane.families) if plane.ipam_mode is IpamMode.PLANE else 0
    return Usage(max(fixed, dynamic), 1, fixed + is_chosen)


def _breaches(plane: Plane, quota: Quota, held: Usage, wanted: Usage, pod: Pod) -> list[Finding]:
    limits = (
        ("attachments", quota.attachments, held.attachments, wanted.attachments),
        ("addresses", quota.addresses, held.addresses, wanted.addresses),
        ("static addresses", quota.static, held.static, wanted.static),
    )
    return [
        Finding(
            f"spec.quota of plane {plane.name}",
            f"cannot give the pod {more} more: namespace {pod.namespace} holds {has} of {limit} "
            f"{what} of plane {plane.name}",
            "remove pods of the namespace, or ask an administrator for a larger quota",
            403,
        )
        for what, limit, has, more in limits
        if limit is not None and more and has + more > limit
    ]
