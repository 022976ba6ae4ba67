"""Explain a decision in text: which planes the pod gets and why, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from planes.model.addresses import parse_request
from planes.model.decide.decision import Attachment, Decision
from planes.model.errors import Finding
from planes.model.lines import printable
from planes.model.mac import format_mac
from planes.model.names import INJECTED_ANNOTATION
from planes.model.objects import Namespace, Pod
from planes.model.spec.plane_spec import EXEMPT_NAMESPACES, Attach, IpamMode, Plane
from planes.model.state.catalog import Catalog


def explain(
    pod: Pod, namespace: Namespace, catalog: Catalog, decision: Decision, *, verdict: str = ""
) -> str:
    """Return the explanation as lines of text, without colours.

    `verdict` is the first line; "" for `verdict_of` the pod, which speaks of one to be created.
    """
    sections = (
        [verdict or verdict_of(pod, decision)],
        _planes(pod, namespace, catalog, decision),
        _attachments(decision, catalog),
        _changes(pod, decision),
        _findings("Errors", decision.errors),
        _findings("Warnings", decision.warnings),
        _findings("Audit", decision.audits),
    )
    return "\n\n".join("\n".join(lines) for lines in map(list, sections) if lines) + "\n"


def verdict_of(pod: Pod, decision: Decision) -> str:
    """Return one line about a pod that is to be created: refused, or what it starts with."""
    if decision.denied:
        count = len(decision.errors)
        return f"Pod {pod.display} is refused: {count} error{'s' if count > 1 else ''}."
    if pod.host_network:
        return f"Pod {pod.display} runs in the host's network: it gets no planes."
    count = len(decision.attachments)
    if not count:
        return f"Pod {pod.display} starts with its default network only."
    what = "1 network" if count == 1 else f"{count} networks"
    return f"Pod {pod.display} starts with its default network and {what} more."


def _planes(pod: Pod, namespace: Namespace, catalog: Catalog, decision: Decision) -> Iterator[str]:
    if not catalog.planes:
        yield "Planes: none is defined."
        return
    yield "Planes:"
    width = max(len(plane.name) for plane in catalog.planes)
    attached = {each.plane for each in decision.attachments}
    for plane in catalog.planes:
        answer, why = _membership(plane, pod, namespace, plane.name in attached)
        purpose = f" ({plane.purpose})" if plane.purpose else ""
        yield f"  {plane.name:<{width}}  {answer:<3}  {why}{purpose}"


def _membership(plane: Plane, pod: Pod, namespace: Namespace, is_attached: bool) -> tuple[str, str]:
    if pod.host_network:
        return "no", "the pod runs in the host's network"
    if not plane.joined_by(namespace):
        return "no", why_not_joined(plane, namespace)
    if not plane.pod_selector.matches(pod.labels):
        return "no", f"the pod's labels do not match {plane.pod_selector}"
    how = why_joined(plane, namespace)
    if is_attached:
        return "yes", how
    if plane.attachment is Attach.ON_REQUEST:
        return "no", f"{how}, but pods must ask for it: add {plane.ref} to their networks"
    return "no", f"{how}, but it could not be attached (see the findings)"


def why_joined(plane: Plane, namespace: Namespace) -> str:
    """Return why a namespace joins a plane."""
    value = namespace.labels.get(plane.label)
    if value is not None:
        return f"namespace {namespace.name} has {plane.label}: {value}"
    if plane.all_namespaces:
        return "it takes all namespaces"
    return f"namespace {namespace.name} matches {plane.selector}"


def why_not_joined(plane: Plane, namespace: Namespace) -> str:
    """Return why a namespace does not join a plane."""
    value = namespace.labels.get(plane.label)
    if namespace.name in EXEMPT_NAMESPACES:
        return f"namespace {namespace.name} joins by its own label {plane.label} only"
    if plane.namespace_selector is not None:
        return f"namespace {namespace.name} does not match {plane.selector}"
    if value is not None:
        return f'namespace {namespace.name} has {plane.label}: "{value}", not enabled or required'
    return f"namespace {namespace.name} has no label {plane.label}"


def _attachments(decision: Decision, catalog: Catalog) -> Iterator[str]:
    if decision.default_network is not None:
        yield f"Default network: NAD {decision.default_network.network}, as the annotation asks."
    if not decision.attachments:
        return
    yield "Attachments it would get:" if decision.denied else "Attachments:"
    for attachment in decision.attachments:
        plane = None if attachment.plane is None else catalog.plane(attachment.plane)
        source = "injected" if attachment.injected else "asked for by the pod"
        what = f"plane {plane.name}" if plane else "a NAD of its own"
        yield f"  {attachment.interface}  {what}, NAD {attachment.network}, {source}"
        yield f"    address: {_addresses(attachment, plane, catalog)}"
        yield from (f"    {line}" for line in _details(attachment, plane))


def _addresses(attachment: Attachment, plane: Plane | None, catalog: Catalog) -> str:
    if attachment.ips:
        return f"{', '.join(attachment.ips)} (static)"
    if attachment.candidates:
        first, last = attachment.candidates[0], attachment.candidates[-1]
        return f"the first free of {len(attachment.candidates)}, {first} to {last}"
    if plane is not None and plane.ipam_mode is IpamMode.PLANE:
        spans = [str(span) for subnet in plane.subnets for span in subnet.dynamic]
        return f"a free one of {', '.join(spans[:4])}{' …' if len(spans) > 4 else ''}"
    ipam = catalog.facts_of(attachment.network).ipam_type
    return f"from the NAD's IPAM {printable(ipam)}" if ipam else "none"


def _details(attachment: Attachment, plane: Plane | None) -> Iterator[str]:
    if attachment.mac:
        yield f"MAC: {attachment.mac}"
    elif plane is not None and plane.macs is not None:
        addresses = [parse_request(text)[0] for text in attachment.ips]
        made = plane.macs.of(addresses) or f"{format_mac(plane.macs.prefix)}:…"
        yield f"MAC: {made}, made from the address"
    routes = attachment.default_route
    if routes:
        yield f"default route: {', '.join(routes)}, instead of eth0's"
    if plane is not None and plane.network is not None:
        network = plane.network
        facts = [f"{network.type} on {network.master}" if network.master else network.type]
        facts += [f"VLAN {network.vlan}"] if network.vlan is not None else []
        facts += [f"MTU {plane.mtu}"] if plane.mtu else []
        yield f"link: {', '.join(facts)}"
    if plane is not None:
        if not plane.require_carrier:
            yield "carrier: not required; the pod starts while the link is down, too"
        if plane.probe is not None:
            yield "conflicts: the address is probed on the wire before it is used"
        routes_told = [str(route.destination) for route in plane.routes]
        routes_told += [str(r.destination) for each in plane.subnets for r in each.routes]
        if routes_told:
            yield f"routes: {', '.join(routes_told)}"


def _changes(pod: Pod, decision: Decision) -> Iterator[str]:
    changes = [key for key in decision.annotations if key != INJECTED_ANNOTATION]
    if not changes:
        return
    yield "Annotations that admission sets:"
    for key in changes:
        verb = "changes" if key in pod.annotations else "adds"
        yield f"  {verb} {key}: {decision.annotations[key]}"


def _findings(title: str, findings: Iterable[Finding]) -> Iterator[str]:
    for number, finding in enumerate(findings):
        if number == 0:
            yield f"{title}:"
        yield f"  - {finding.message}"
        if finding.path:
            yield f"    where: {finding.path}"
        if finding.remedy:
            yield f"    remedy: {finding.remedy}"
