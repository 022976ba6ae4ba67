"""The decision: what a pod is attached to, and everything that is wrong with what it asks for.

`decide` is pure and is called by both webhooks, by the daemon at ADD and by `netplane explain`.

Invariant: deciding again after its annotations were applied returns no annotations; elements of the
user keep their order and content; the same input gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from planes.model.addresses import IPAddress
from planes.model.annotations.near_keys import check_keys
from planes.model.annotations.selection import Selection
from planes.model.decide.access import check_access, check_withheld
from planes.model.decide.address_check import check_addresses
from planes.model.decide.default_network import read_default_network
from planes.model.decide.device_check import check_devices
from planes.model.decide.drafts import Draft, draft_attachments
from planes.model.decide.element_check import check_elements
from planes.model.decide.findings import Findings
from planes.model.decide.injection import annotations_of, proven_record
from planes.model.decide.quota import check_quota
from planes.model.decide.resources import resources_of
from planes.model.decide.stale_status import forged_statuses
from planes.model.decide.static_assignment import assign_addresses
from planes.model.decide.weight_check import check_weight
from planes.model.decide.wire_check import check_wires
from planes.model.decide.wishes import permitted
from planes.model.errors import Finding
from planes.model.names import NETWORKS_ANNOTATION, STATIC_IPS_ANNOTATION
from planes.model.objects import NadRef, Namespace, Pod
from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog

_NO_ANNOTATIONS: Mapping[str, str] = {}
_NO_RESOURCES: Mapping[str, int] = {}


@dataclass(frozen=True, slots=True)
class Attachment:
    """One interface of the pod, and the requests of the pod that its plugins get.

    Attributes:
        network: the NAD.
        plane: the plane that the NAD backs, None for any other NAD.
        selection: the element as it will stand in the annotation; what it asks for may be refused.
        ips: addresses to ask for; with the subnet's prefix length where a plane knows it.
        candidates: where `ips` is empty, addresses of which the node takes the first free one of
            each family; empty means any address of the plane.
        mac: the MAC to ask for, "" for any.
        injected: True where it was added for a plane, False where the user asked for it.
        governed: True where a plane permits what may be asked for: of the runtime's capability
            arguments its plugins get `wishes.RUNTIME_FACTS` alone.
        capabilities: capability arguments, addresses and MAC included.
        cni_args: what is merged into `args.cni`.
        default_route: gateways whose families' default routes the interface takes.
        holds: addresses of planes on its wire that it gets from another IPAM, by plane.
        guards: planes on its wire; it may have no further address of their subnets.
        needs_carrier: True where the plane refuses pods while the master is down.
        claim: the IPAMClaim of the pod's namespace that keeps its addresses, "" for none.
    """

    network: NadRef
    plane: str | None
    selection: Selection
    interface: str
    ips: tuple[str, ...] = ()
    candidates: tuple[IPAddress, ...] = ()
    mac: str = ""
    injected: bool = False
    governed: bool = False
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    cni_args: Mapping[str, Any] = field(default_factory=dict)
    default_route: tuple[str, ...] = ()
    holds: Mapping[str, tuple[IPAddress, ...]] = field(default_factory=dict)
    guards: tuple[Plane, ...] = ()
    needs_carrier: bool = False
    claim: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome for one pod.

    Attributes:
        attachments: in the order of the annotation.
        annotations: those to set on the pod; empty where there are none.
        resources: how many devices the pod's containers have to ask for, by resource.
        errors: why the pod is refused; empty where it is not.
        warnings: shown to its author.
        audits: breaches of planes that only audit.
        default_network: the attachment in place of the cluster's default network, if any.
    """

    attachments: tuple[Attachment, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, int] = field(default_factory=dict)
    errors: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    audits: tuple[Finding, ...] = ()
    default_network: Attachment | None = None

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
    if creating:
        findings.errors += forged_statuses(pod)
    if pod.host_network:
        return _on_host_network(pod, findings)
    findings.warnings += check_keys(pod.annotations, pod.labels)
    membership = catalog.membership(namespace)
    findings.required = membership.required
    findings.errors += membership.errors
    findings.warnings += membership.warnings
    check_withheld(membership, pod, findings)
    annotations, cache = pod.annotations, catalog.annotation_cache
    reading = cache.networks.get(annotations.get(NETWORKS_ANNOTATION, ""), pod.namespace)
    static_ips = cache.static_ips.get(annotations.get(STATIC_IPS_ANNOTATION, ""))
    findings.errors += reading.errors
    findings.errors += static_ips.errors
    findings.warnings += reading.warnings
    default = read_default_network(pod, namespace, catalog, findings)
    joined = [plane for plane in membership.planes if plane.pod_selector.matches(pod.labels)]
    drafts = draft_attachments(reading.elements, joined, catalog, findings)
    record = proven_record(pod, drafts, catalog)
    assign_addresses(
        drafts,
        static_ips.lists,
        pod,
        catalog,
        findings,
        joined=joined,
        is_complete=not reading.errors,
    )
    _check(drafts, default, pod, namespace, catalog, findings=findings)
    if findings.errors:
        return _decided(findings, drafts, default)
    return _decided(
        findings,
        drafts,
        default,
        annotations_of(pod, reading, drafts, record),
        resources_of(drafts if default is None else [*drafts, default], catalog, pod, findings),
    )


def _check(
    drafts: Sequence[Draft],
    default: Draft | None,
    pod: Pod,
    namespace: Namespace,
    catalog: Catalog,
    *,
    findings: Findings,
) -> None:
    """Check every draft, and all of them together."""
    for draft in drafts:
        check_access(draft, pod, namespace, catalog, findings)
    everything = drafts if default is None else [*drafts, default]
    check_wires(everything, pod, namespace, catalog, findings)
    extra = [] if default is None or default.governed_by is None else [default]
    for draft in [*drafts, *extra]:
        check_addresses(draft, pod, catalog, findings)
    check_elements(drafts, extra, pod, catalog, findings)
    check_devices(everything, catalog, findings)
    check_weight(everything, catalog, findings)
    check_quota([*drafts, *extra], pod, namespace, catalog, findings)


def _decided(
    findings: Findings,
    drafts: Sequence[Draft] = (),
    default: Draft | None = None,
    annotations: Mapping[str, str] = _NO_ANNOTATIONS,
    resources: Mapping[str, int] = _NO_RESOURCES,
) -> Decision:
    return Decision(
        attachments=tuple([attachment_of(draft) for draft in drafts]),
        annotations=annotations,
        resources=resources,
        errors=tuple(findings.errors),
        warnings=tuple(findings.warnings),
        audits=tuple(findings.audits),
        default_network=None if default is None else attachment_of(default),
    )


def _on_host_network(pod: Pod, findings: Findings) -> Decision:
    for key in (NETWORKS_ANNOTATION, STATIC_IPS_ANNOTATION):
        if pod.annotations.get(key, "").strip():
            findings.warn(
                f"metadata.annotations[{key}]",
                "it is ignored: the pod runs in the host's network",
                "remove the annotation or spec.hostNetwork",
            )
    return _decided(findings)


def attachment_of(draft: Draft) -> Attachment:
    """Return the attachment of a draft that was checked."""
    plane = draft.plane
    told = permitted(draft)
    return Attachment(
        draft.ref,
        None if plane is None else plane.name,
        draft.selection,
        draft.interface,
        told.ips,
        draft.candidates,
        told.mac,
        draft.injected,
        draft.governed_by is not None,
        told.capabilities,
        told.cni_args,
        told.default_route,
        draft.holds,
        draft.guards,
        plane is not None and plane.require_carrier,
        told.claim,
    )
