"""Access to NADs: a NAD exists, is usable, and the pod's namespace may use it."""

from __future__ import annotations

from planes.model.decide.drafts import Draft
from planes.model.decide.findings import Findings
from planes.model.decide.nad_wishes import check_guarded_wishes
from planes.model.decide.pool_check import pool_fault
from planes.model.errors import Finding
from planes.model.objects import Nad, NadRef, Namespace, Pod
from planes.model.spec.plane_spec import JOINED, Attach, Plane
from planes.model.state.catalog import Catalog
from planes.model.state.membership import Membership
from planes.model.state.nad_facts import NadFacts


def check_access(
    draft: Draft, pod: Pod, namespace: Namespace, catalog: Catalog, findings: Findings
) -> None:
    """Check one attachment; planes that the pod belongs to have been matched already."""
    if draft.plane is None and catalog.nad_checks.policy.is_guarded:
        check_guarded_wishes(draft, pod, catalog, findings)
    ref = draft.ref
    nad, facts = catalog.nads.get(ref), catalog.facts_of(ref)
    is_joined = draft.is_joined and nad is not None and not facts.fault
    if draft.is_new or is_joined:
        if draft.plane is None or draft.plane.network is None:  # rendered NADs have no faults
            nad_fault = _nad_fault(nad, facts, f"{draft.path}.name", pod, catalog)
            if nad_fault is not None:
                findings.errors.append(nad_fault)
        return
    check_nad(ref, f"{draft.path}.name", pod, namespace, catalog, findings=findings)
    if draft.plane is None and nad is not None:
        findings.warnings.extend(catalog.lint.get(ref, ()))
        findings.warnings.extend(catalog.nad_checks.typos(nad))


def check_withheld(membership: Membership, pod: Pod, findings: Findings) -> None:
    """Refuse a pod, or warn of it, where a plane of its namespace is not in force."""
    for each in membership.withheld:
        plane = each.plane
        if plane.attachment is not Attach.ALWAYS or not plane.pod_selector.matches(pod.labels):
            continue
        path = f"namespace.metadata.labels[{plane.label}]"
        if plane.name in membership.required:
            findings.errors.append(each.refusal(path))
        else:
            findings.warnings.append(each.finding(path))


def check_nad(
    ref: NadRef,
    path: str,
    pod: Pod,
    namespace: Namespace,
    catalog: Catalog,
    *,
    findings: Findings,
    shared: frozenset[str] = frozenset(),
) -> bool:
    """Report whether a pod can use a NAD; where it cannot, add the error.

    Under namespace isolation the NADs of `shared` namespaces may be used by all namespaces too.
    """
    nad = catalog.nads.get(ref)
    if nad is None:
        fault: Finding | None = _unknown(ref, path, namespace, catalog, findings)
    else:
        fault = _fault(nad, path, pod, namespace, catalog, shared=shared)
    if fault is not None:
        findings.errors.append(fault)
    return fault is None


def _fault(
    nad: Nad,
    path: str,
    pod: Pod,
    namespace: Namespace,
    catalog: Catalog,
    *,
    shared: frozenset[str],
) -> Finding | None:
    ref = nad.ref
    plane = catalog.plane_of(ref)
    if (withheld := catalog.withheld.get(ref)) is not None:
        return withheld.refusal(path)
    if plane is not None:
        if not plane.matches(namespace, pod):
            return _not_joined(plane, ref, path, pod, namespace)
    elif (
        catalog.namespace_isolation
        and ref.namespace != pod.namespace
        and ref.namespace not in catalog.global_namespaces | shared
    ):
        return Finding(
            path,
            f"cannot use NAD {ref} from namespace {pod.namespace}: namespaces are isolated",
            f"use a NAD of {', '.join(sorted({pod.namespace, *catalog.global_namespaces}))}",
            403,
        )
    facts = catalog.facts_of(ref)
    if facts.fault:
        remedy = facts.remedy or "mend the NAD's spec.config"
        return Finding(path, f"cannot use NAD {ref}: {facts.fault}", remedy)
    return _nad_fault(nad, facts, path, pod, catalog)


def _nad_fault(
    nad: Nad | None, facts: NadFacts, path: str, pod: Pod, catalog: Catalog
) -> Finding | None:
    """Return why a namespace's pods, or any pods, cannot use a NAD; None where they can.

    It may have been written while no webhook ran.
    """
    if nad is None:
        return None
    found = catalog.nad_checks.findings(nad, pod.namespace)
    if not found:
        return pool_fault(nad, facts, path, catalog)
    first = found[0]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    message = f"cannot use NAD {nad.ref}: {first.path}: {first.message}{more}"
    return Finding(path, message, first.remedy, first.status)


def _unknown(
    ref: NadRef, path: str, namespace: Namespace, catalog: Catalog, findings: Findings
) -> Finding:
    hint = _hint(ref, namespace, catalog) if findings.may_hint() else ""
    remedy = hint or f"create the NAD in namespace {ref.namespace} first"
    return Finding(path, f"cannot find a NAD {ref.name} in namespace {ref.namespace}", remedy)


def _hint(ref: NadRef, namespace: Namespace, catalog: Catalog) -> str:
    """Return a hint that names NADs with a like name, of those that the namespace may use."""

    def is_allowed(other: NadRef) -> bool:
        return other != ref and _may_use(other, namespace, catalog)

    elsewhere = list(filter(is_allowed, catalog.same_named(ref.name)))
    # with the exact name elsewhere, only planes are suggested besides
    close = [
        other
        for other in filter(is_allowed, catalog.close_to(ref))
        if other not in elsewhere and (not elsewhere or catalog.plane_of(other))
    ]
    hints = []
    if elsewhere:
        hints.append(
            f"that name exists as {_listed(elsewhere)}: write the namespace if it is meant"
        )
    if close:
        hints.append(f"did you mean {_listed(close)}?")
    return "; ".join(hints)


def _may_use(ref: NadRef, namespace: Namespace, catalog: Catalog) -> bool:
    plane = catalog.plane_of(ref)
    if plane is not None:
        return plane.joined_by(namespace)
    return not catalog.namespace_isolation or (
        ref.namespace in {namespace.name, *catalog.global_namespaces}
    )


def _listed(refs: list[NadRef]) -> str:
    shown = " or ".join(map(str, refs[:3]))
    return shown if len(refs) <= 3 else f"{shown} (and {len(refs) - 3} more)"


def _not_joined(plane: Plane, ref: NadRef, path: str, pod: Pod, namespace: Namespace) -> Finding:
    why, how = why_not_joined(plane, pod, namespace)
    if plane.joined_by(namespace):
        how += ", or remove the element"
    message = f"cannot use plane {plane.name} (NAD {ref}): {why}"
    return Finding(path, message, how, 403, plane.name)


def why_not_joined(plane: Plane, pod: Pod, namespace: Namespace) -> tuple[str, str]:
    """Return why a pod does not belong to a plane, and what would make it belong."""
    if plane.joined_by(namespace):
        return (
            f"the pod's labels do not match its podSelector ({plane.pod_selector})",
            f"label the pod {plane.pod_selector}",
        )
    if plane.namespace_selector is None or plane.all_namespaces:
        how = f"label namespace {pod.namespace} with {plane.label}: {JOINED}"
    else:
        how = f"label namespace {pod.namespace} so that it matches {plane.selector}"
    return f"namespace {pod.namespace} has not joined it", f"an administrator may {how}"
