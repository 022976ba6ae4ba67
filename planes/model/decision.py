"""The decision: what a pod is attached to, and everything that is wrong with what it asks for.

`decide` is pure and is called by both hooks, by the daemon at ADD and by `netplane explain`, so
they cannot disagree. Applying its annotations and deciding again gives no annotations; elements
the user wrote keep their order and content; the same input gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from planes.model.access import check_access
from planes.model.address_check import check_addresses
from planes.model.addresses import IPAddress
from planes.model.annotation_text import extend
from planes.model.catalog import Catalog
from planes.model.default_network import read_default_network
from planes.model.drafts import Draft, draft_attachments
from planes.model.element_check import check_elements
from planes.model.errors import Finding
from planes.model.findings import Findings
from planes.model.names import (
    INJECTED_ANNOTATION,
    NETWORKS_ANNOTATION,
    STATIC_IPS_ANNOTATION,
    STATUS_ANNOTATION,
)
from planes.model.objects import NadRef, Namespace, Pod
from planes.model.plane_spec import Plane
from planes.model.quota import check_quota
from planes.model.record import Injected, Record, digest_of, format_record, read_record
from planes.model.selection import Reading, Selection, read_selections
from planes.model.static_assignment import assign_addresses
from planes.model.static_ips import read_static_ips

_NO_ANNOTATIONS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Attachment:
    """One interface the pod gets beside the default network's.

    Attributes:
        network: the NAD.
        plane: the plane behind the NAD, None for a NAD of its own.
        selection: the element as it will stand in the annotation.
        ips: addresses to ask for; with the subnet's prefix length where a plane knows it.
        candidates: where `ips` is empty, addresses of which the node takes the first free one of
            each family; empty means any address of the plane.
        injected: True where a plane put it there, False where the user asked.
    """

    network: NadRef
    plane: str | None
    selection: Selection
    interface: str
    ips: tuple[str, ...] = ()
    candidates: tuple[IPAddress, ...] = ()
    mac: str = ""
    injected: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows for one pod.

    Attributes:
        attachments: in the order of the annotation.
        annotations: what has to be set on the pod; empty where nothing has to be done.
        errors: why the pod is refused; empty where it is not.
        warnings: what its author should know.
        audits: breaches of planes that only audit.
        default_network: the NAD that replaces the cluster's default network, if one is named.
    """

    attachments: tuple[Attachment, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    errors: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    audits: tuple[Finding, ...] = ()
    default_network: Selection | None = None

    @property
    def denied(self) -> bool:
        """True where the pod must not start."""
        return bool(self.errors)

    @property
    def status(self) -> int:
        """The admission status: 403 before 422 before 409 where errors differ, 200 without."""
        found = {finding.status for finding in self.errors}
        return next((status for status in (403, 422, 409) if status in found), 200)

    @property
    def message(self) -> str:
        """All errors in one text."""
        return "; ".join(map(str, self.errors))


def decide(pod: Pod, namespace: Namespace, catalog: Catalog, *, creating: bool = False) -> Decision:
    """Decide what a pod is attached to.

    Args:
        pod: the pod as its author wrote it, or as it is in the cluster.
        namespace: the pod's namespace.
        catalog: the current planes, NADs and claims.
        creating: True in the review of a CREATE, when a pod cannot have a network-status yet.
    """
    findings = Findings()
    if creating and STATUS_ANNOTATION in pod.annotations:
        findings.refuse(
            f"metadata.annotations[{STATUS_ANNOTATION}]",
            "cannot create a pod with a network-status: only its node writes it",
            "remove the annotation",
            403,
        )
    if pod.host_network:
        return _on_host_network(pod, findings)
    planes = _planes_of(namespace, catalog, findings)
    reading = read_selections(pod.annotations.get(NETWORKS_ANNOTATION, ""), pod.namespace)
    lists, list_errors = read_static_ips(pod.annotations.get(STATIC_IPS_ANNOTATION, ""))
    findings.errors += [*reading.errors, *list_errors]
    findings.warnings += reading.warnings
    default_network = read_default_network(pod, namespace, catalog, findings)
    if reading.errors:
        return _refused(findings)
    joined = [plane for plane in planes if plane.pod_selector.matches(pod.labels)]
    record = _record_of(pod)
    drafts = draft_attachments(reading.selections, joined, catalog, findings)
    if not _mark_injected(drafts, record):
        record = None
    assign_addresses(drafts, lists, pod, catalog, findings)
    for draft in drafts:
        check_access(draft, pod, namespace, catalog, findings)
        check_addresses(draft, pod, catalog, findings)
    check_elements(drafts, catalog, findings)
    check_quota(drafts, pod, namespace, catalog, findings)
    return Decision(
        attachments=tuple([_attachment(draft) for draft in drafts]),
        annotations=(
            _NO_ANNOTATIONS if findings.errors else _annotations(pod, reading, drafts, record)
        ),
        errors=tuple(findings.errors),
        warnings=tuple(findings.warnings),
        audits=tuple(findings.audits),
        default_network=default_network,
    )


def _planes_of(namespace: Namespace, catalog: Catalog, findings: Findings) -> Sequence[Plane]:
    """Give the planes that a namespace joins, and report labels that join nothing."""
    planes = catalog.planes_for(namespace)
    findings.required = frozenset([p.name for p in planes if p.is_required_by(namespace)])
    errors, warnings = catalog.label_faults(namespace)
    findings.errors += errors
    findings.warnings += warnings
    return planes


def _refused(findings: Findings) -> Decision:
    return Decision(
        errors=tuple(findings.errors),
        warnings=tuple(findings.warnings),
        audits=tuple(findings.audits),
    )


def _on_host_network(pod: Pod, findings: Findings) -> Decision:
    for key in (NETWORKS_ANNOTATION, STATIC_IPS_ANNOTATION):
        if pod.annotations.get(key, "").strip():
            findings.warn(
                f"metadata.annotations[{key}]",
                "it is ignored: the pod runs in the host's network",
                "remove the annotation or spec.hostNetwork",
            )
    return _refused(findings)


def _record_of(pod: Pod) -> Record | None:
    text = pod.annotations.get(INJECTED_ANNOTATION)
    return None if text is None else read_record(text)


def _mark_injected(drafts: Sequence[Draft], record: Record | None) -> bool:
    """Mark what an earlier review injected; tell whether the record still describes it."""
    if record is None:
        return False
    entries = {(name, interface) for name, _, interface in record.planes}
    found = [
        draft
        for draft in drafts
        if not draft.is_new
        and draft.plane is not None
        and (draft.plane.name, draft.interface) in entries
    ]
    if len(found) != len(record.planes):
        return False
    if digest_of([draft.selection for draft in found]) != record.digest:
        return False
    for draft in found:
        draft.injected = True
    return True


def _attachment(draft: Draft) -> Attachment:
    return Attachment(
        network=draft.ref,
        plane=None if draft.plane is None else draft.plane.name,
        selection=draft.selection,
        interface=draft.interface,
        ips=draft.ips,
        candidates=draft.candidates,
        mac=draft.selection.mac,
        injected=draft.injected,
    )


def _annotations(
    pod: Pod, reading: Reading, drafts: Sequence[Draft], record: Record | None
) -> Mapping[str, str]:
    """Give what has to be set; `record` is the one in force, None where there is none."""
    found: dict[str, str] = {}
    additions = [draft.selection for draft in drafts if draft.is_new]
    completions = {draft.index: draft.ips for draft in drafts if draft.is_completed}
    if additions or completions:
        text = pod.annotations.get(NETWORKS_ANNOTATION, "")
        found[NETWORKS_ANNOTATION] = extend(text, reading.selections, additions, completions)
    injected = [draft for draft in drafts if draft.injected]
    is_changed = any(draft.is_new or draft.is_completed for draft in injected)
    if is_changed or (record is None and INJECTED_ANNOTATION in pod.annotations):
        generations = {name: made for name, made, _ in record.planes} if record else {}
        found[INJECTED_ANNOTATION] = format_record(
            [_injected(draft, generations) for draft in injected]
        )
    return found


def _injected(draft: Draft, generations: Mapping[str, int]) -> Injected:
    plane = draft.plane
    name, generation = ("", 0) if plane is None else (plane.name, plane.generation)
    if not draft.is_new:
        generation = generations.get(name, generation)
    return Injected(name, generation, draft.selection)
