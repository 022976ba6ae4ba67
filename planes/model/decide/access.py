"""Who may use which NAD: it exists, it is usable, and the pod's namespace may reach it."""

from __future__ import annotations

from planes.model.decide.drafts import Draft
from planes.model.decide.findings import Findings
from planes.model.decide.nad_wishes import check_guarded_wishes
from planes.model.decide.pool_check import pool_fault
from planes.model.errors import Finding
from planes.model.objects import NadRef, Namespace, Pod
from planes.model.spec.plane_spec import JOINED, Plane
from planes.model.state.catalog import Catalog


def check_access(
    draft: Draft, pod: Pod, namespace: Namespace, catalog: Catalog, findings: Findings
) -> None:
    """Check one attachment; planes that the pod belongs to have been matched already."""
    if draft.plane is None and catalog.gate.policy.is_guarded:
        check_guarded_wishes(draft, pod, catalog, findings)
    ref = draft.ref
    is_joined = draft.is_joined and ref in catalog.nads and not catalog.facts_of(ref).fault
    if draft.is_new or is_joined:
        if draft.plane is None or draft.plane.network is None:  # no rendered NAD is barred
            barred = _barred(ref, f"{draft.path}.name", pod, catalog)
            if barred is not None:
                findings.errors.append(barred)
        return
    reach(ref, f"{draft.path}.name", pod, namespace, catalog, findings=findings)
    if draft.plane is None:
        findings.warnings.extend(catalog.lint.get(ref, ()))


def reach(
    ref: NadRef,
    path: str,
    pod: Pod,
    namespace: Namespace,
    catalog: Catalog,
    *,
    findings: Findings,
    shared: frozenset[str] = frozenset(),
) -> bool:
    """Tell whether a pod can use a NAD, and report why not.

    Under namespace isolation the NADs of `shared` namespaces serve everybody too.
    """
    if ref not in catalog.nads:
        fault: Finding | None = _unknown(ref, path, catalog, findings)
    else:
        fault = _fault(ref, path, pod, namespace, catalog, shared=shared)
    if fault is not None:
        findings.errors.append(fault)
    return fault is None


def _fault(
    ref: NadRef,
    path: str,
    pod: Pod,
    namespace: Namespace,
    catalog: Catalog,
    *,
    shared: frozenset[str],
) -> Finding | None:
    plane = catalog.plane_of(ref)
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
    return _barred(ref, path, pod, catalog)


def _barred(ref: NadRef, path: str, pod: Pod, catalog: Catalog) -> Finding | None:
    """Say what keeps a namespace's pods from a NAD, or everybody's.

    It may have been written while nobody judged it.
    """
    nad = catalog.nads.get(ref)
    if nad is None:
        return None
    found = catalog.gate.findings(nad, pod.namespace)
    if not found:
        return pool_fault(nad, catalog.facts_of(ref), path, catalog)
    first = found[0]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    message = f"cannot use NAD {ref}: {first.path}: {first.message}{more}"
    return Finding(path, message, first.remedy, first.status)


def _unknown(ref: NadRef, path: str, catalog: Catalog, findings: Findings) -> Finding:
    hint = _hint(ref, catalog) if findings.may_hint() else ""
    remedy = hint or f"create the NAD in namespace {ref.namespace} first"
    return Finding(path, f"cannot find a NAD {ref.name} in namespace {ref.namespace}", remedy)


def _hint(ref: NadRef, catalog: Catalog) -> str:
    elsewhere = [other for other in catalog.same_named(ref.name) if other != ref]
    # with the exact name elsewhere, only planes are worth guessing at
    close = [
        other
        for other in catalog.close_to(ref)
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


def _listed(refs: list[NadRef]) -> str:
    shown = " or ".join(map(str, refs[:3]))
    return shown if len(refs) <= 3 else f"{shown} (and {len(refs) - 3} more)"


def _not_joined(plane: Plane, ref: NadRef, path: str, pod: Pod, namespace: Namespace) -> Finding:
    why, how = why_not_joined(plane, pod, namespace)
    if plane.joined_by(namespace):
        how += ", or remove the element"
    return Finding(path, f"cannot use plane {plane.name} (NAD {ref}): {why}", how, 403)


def why_not_joined(plane: Plane, pod: Pod, namespace: Namespace) -> tuple[str, str]:
    """Say why a pod does not belong to a plane, and what would make it belong."""
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
