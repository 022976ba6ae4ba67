"""The annotation `v1.multus-cni.io/default-network`: a NAD in place of the default network."""

from __future__ import annotations

from planes.model.addresses import parse_request
from planes.model.annotations.selection import read_selections
from planes.model.decide.access import check_nad
from planes.model.decide.drafts import Draft
from planes.model.decide.findings import Findings
from planes.model.names import DEFAULT_NETWORK_ANNOTATION, MULTUS_NAMESPACE
from planes.model.objects import Namespace, Pod
from planes.model.state.catalog import Catalog

DEFAULT_INTERFACE = "eth0"
"""The runtime names the interface; this is what nearly all of them call it."""


def read_default_network(
    pod: Pod, namespace: Namespace, catalog: Catalog, findings: Findings
) -> Draft | None:
    """Read and check the annotation: exactly one element, of a NAD that the pod may use.

    Multus 4.3.0 does not apply its namespace isolation here, and the notes of 4.3.1 do not mention
    it; we do, except for its own namespace. Where the NAD backs a plane, what the element asks for
    is judged like that of any attachment.
    """
    text = pod.annotations.get(DEFAULT_NETWORK_ANNOTATION, "")
    if not text or text.isspace():
        return None
    path = f"metadata.annotations[{DEFAULT_NETWORK_ANNOTATION}]"
    reading = read_selections(text, MULTUS_NAMESPACE, path)
    findings.errors += reading.errors
    findings.warnings += reading.warnings
    if reading.errors:
        return None
    if len(reading.elements) != 1:
        count = len(reading.elements)
        findings.refuse(path, f"cannot use {count} default networks", "name exactly one NAD")
        return None
    (selection,) = reading.selections
    shared = frozenset({MULTUS_NAMESPACE})
    is_usable = check_nad(
        selection.ref, path, pod, namespace, catalog, findings=findings, shared=shared
    )
    if not is_usable:
        return None
    return Draft(
        0,
        selection,
        DEFAULT_INTERFACE,
        selection.ref,
        catalog.plane_of(selection.ref),
        selection.ips,
        tuple([parse_request(text) for text in selection.ips]),
        where=path,
    )
