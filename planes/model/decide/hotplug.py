"""Decide on one more attachment of a running pod, by the checks of `decide`.

Hot-plug controllers send a network's configuration and requests for one interface. Where the
configuration is a plane's, it is judged here, with the pod as it is.
"""

from __future__ import annotations

from dataclasses import replace

from planes.model.addresses import parse_request
from planes.model.annotations.element_reader import read_element
from planes.model.annotations.selection import Selection
from planes.model.decide.access import check_access
from planes.model.decide.address_check import check_addresses
from planes.model.decide.decision import Decision, attachment_of
from planes.model.decide.device_check import check_devices
from planes.model.decide.drafts import Draft, draft_attachments
from planes.model.decide.element_check import check_elements
from planes.model.decide.findings import Findings
from planes.model.decide.quota import check_quota
from planes.model.decide.wire_check import check_wires
from planes.model.errors import Finding, JsonObject
from planes.model.names import NETWORKS_ANNOTATION
from planes.model.objects import NadRef, Namespace, Pod
from planes.model.spec.plane_spec import Plane
from planes.model.spec.spec_reader import refuse
from planes.model.state.catalog import Catalog
from planes.model.state.wire import WireKind
from planes.model.wire.netconf import ConfList

_WHERE = "interfaceAttributes"
_PLANE_IPAM = "plane"
_NO_NAD = "none"


def plane_behind(conflist: ConfList, catalog: Catalog) -> Plane | None:
    """Return the plane whose policy governs a configuration that comes without its NAD's name.

    That is the plane from which any of its plugins takes addresses, else the one whose NAD has the
    same network name.

    Raises:
        BadInput: `ipam` or its `plane` is of another type.
    """
    for plugin in conflist.plugins:
        ipam = plugin.fields().child("ipam")
        if ipam is not None and ipam.string("type") == _PLANE_IPAM:
            plane = catalog.plane(ipam.string("plane"))
            if plane is not None:
                return plane
    return catalog.plane_of_network(conflist.name)


def read_wishes(interface: str, wishes: JsonObject) -> Selection:
    """Read requests for one interface as a network selection element, without a NAD.

    Args:
        interface: its name in the pod.
        wishes: the requests, as members of an element, checked as in a pod's annotation.

    Raises:
        BadInput: one of them is wrong; the text lists all, with paths.
    """
    errors: list[Finding] = []
    element = {**wishes, "name": _NO_NAD, "interface": interface}
    selection = read_element(element, _WHERE, _NO_NAD, errors, [])
    refuse("what the interface is to have", errors)
    return selection or Selection(_NO_NAD, _NO_NAD, interface)


def decide_one(
    pod: Pod,
    namespace: Namespace,
    catalog: Catalog,
    plane: Plane,
    selection: Selection,
) -> Decision:
    """Decide on one more attachment of a pod to a plane.

    Args:
        pod: the pod as it is; where its annotation has an element for the interface already, that
            element is the same attachment and is not counted twice.
        namespace: the pod's namespace.
        catalog: the current planes, NADs and claims.
        plane: the plane to attach the pod to.
        selection: what is asked for, as `read_wishes` gives it.

    Returns:
        The decision: one attachment, or the errors that forbid it.
    """
    findings = Findings()
    membership = catalog.membership(namespace)
    findings.required = membership.required
    selection = replace(selection, name=plane.ref.name, namespace=plane.ref.namespace)
    others = _others(pod, catalog, selection.interface)
    draft = _draft(len(others), selection, plane.ref, plane)
    if pod.host_network:
        message = f"cannot attach {pod.key}: it runs in the host's network"
        findings.refuse(_WHERE, message, "plug networks into pods with a network of their own")
    check_access(draft, pod, namespace, catalog, findings)
    check_addresses(draft, pod, catalog, findings)
    check_elements([draft], (), pod, catalog, findings)
    check_devices([draft], catalog, findings)
    of_plane = [other for other in others if other.plane is plane]
    check_quota([*of_plane, draft], pod, namespace, catalog, findings)
    return Decision(
        attachments=(attachment_of(draft),),
        errors=tuple(findings.errors),
        warnings=tuple(findings.warnings),
        audits=tuple(findings.audits),
    )


def needs_decision(ref: NadRef, catalog: Catalog) -> bool:
    """Report whether a network has to be judged: it may be on a plane's wire."""
    wires = catalog.facts_of(ref).wires
    return bool(catalog.plane_wires(ref)) or any(wire.kind is WireKind.INNER for wire in wires)


def decide_network(
    pod: Pod, namespace: Namespace, catalog: Catalog, ref: NadRef, selection: Selection
) -> Decision:
    """Decide on one more attachment of a pod to a network that is no plane's.

    Args:
        pod: the pod as it is.
        namespace: the pod's namespace.
        catalog: the current planes, NADs and claims.
        ref: the name by which the catalog has what the network's configuration says.
        selection: what is asked for, as `read_wishes` gives it.

    Returns:
        The decision: one attachment, or the errors that forbid it.
    """
    findings = Findings()
    findings.required = catalog.membership(namespace).required
    others = _others(pod, catalog, selection.interface)
    draft = _draft(len(others), selection, ref, None)
    beside = frozenset().union(*(catalog.facts_of(other.ref).wires for other in others))
    check_wires([draft], pod, namespace, catalog, findings, beside=beside)
    check_devices([draft], catalog, findings)
    if draft.governed_by is not None:
        check_elements([], [draft], pod, catalog, findings)
        check_quota([draft], pod, namespace, catalog, findings)
    return Decision(
        attachments=(attachment_of(draft),),
        errors=tuple(findings.errors),
        warnings=tuple(findings.warnings),
        audits=tuple(findings.audits),
    )


def _others(pod: Pod, catalog: Catalog, interface: str) -> list[Draft]:
    """Draft what the pod's annotation asks for on other interfaces."""
    reading = catalog.annotation_cache.networks.get(
        pod.annotations.get(NETWORKS_ANNOTATION, ""), pod.namespace
    )
    drafts = draft_attachments(reading.elements, (), catalog, Findings())
    return [draft for draft in drafts if draft.interface != interface]


def _draft(index: int, selection: Selection, ref: NadRef, plane: Plane | None) -> Draft:
    return Draft(
        index,
        selection,
        selection.interface,
        ref,
        plane,
        selection.ips,
        tuple([parse_request(text) for text in selection.ips]),
        is_joined=False,
        where=_WHERE,
    )
