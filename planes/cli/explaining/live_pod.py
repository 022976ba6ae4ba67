"""Explain a pod that is there: what is decided about it as it stands, and what it has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from planes.cli.console import Console
from planes.cli.explaining.concerned import named_by
from planes.cli.explaining.items import ExplainedItem, decision_json
from planes.cli.explaining.pod_start import PodStage, PodStart, start_of
from planes.cli.reading.decision_state import DecisionState, decision_state
from planes.cli.reading.events import SeenEvent, events_of_pod
from planes.cli.reading.place import Place
from planes.kube.resources import PODS
from planes.model.bounds import MAX_STATUS_CHARACTERS
from planes.model.decide.decision import Decision, decide
from planes.model.decide.explain import explain
from planes.model.errors import BadInput, Denied, Finding, JsonObject, NotFound
from planes.model.lines import first_few, one_line
from planes.model.names import STATUS_ANNOTATION
from planes.model.objects import Namespace, Pod
from planes.model.wire.status import NetworkStatus, parse_status

_SHOWN_EVENTS = 8
_SHOWN_INTERFACES = 64
_SHOWN_ADDRESSES = 8
_LONGEST = 253


@dataclass(frozen=True, slots=True)
class _Has:
    """What a pod shows to have; `fault` is why its network-status cannot be read."""

    interfaces: tuple[NetworkStatus, ...] = ()
    fault: Finding | None = None


async def explain_pod(place: Place, console: Console, namespace: str, name: str) -> ExplainedItem:
    """Print what is decided about a pod and what it has, and return it.

    Raises:
        NotFound: there is no such pod.
        PlanesError: something cannot be read.
    """
    obj = await place.api.get(PODS, name, namespace=namespace)
    state = await decision_state(place, {namespace}, nads_of=named_by(obj, namespace))
    pod = Pod.from_object(obj)
    unknown = list(state.unknown)
    try:
        events = await events_of_pod(place.api, namespace, name, pod.uid)
    except (Denied, NotFound) as error:
        events = []
        unknown.append(f"not known: {error}")
    known = state.snapshot.namespaces.get(namespace)
    space, catalog = known or Namespace(namespace), state.snapshot.catalog
    # Without its labels nothing can be said of a namespace, nor of what its pods lack.
    is_decidable = known is not None or not place.is_cluster
    decision = decide(pod, space, catalog) if is_decidable else Decision()
    has = _shown(pod.annotations.get(STATUS_ANNOTATION, ""))
    start = start_of(obj, events, place.clock.now())
    missing = list(_missing(decision, has, start)) if not pod.host_network else []
    found = (*start.faults, *missing, *((has.fault,) if has.fault else ()))
    for text in unknown:
        console.warn(text)
    for ignored in state.ignored:
        console.warn(f"{ignored.where}: {ignored.reason}")
    _print(console, pod, start, decision, has, events=events, missing=missing)
    console.line("")
    verdict = f"Decided about it as it stands: {_outcome(pod, decision)}."
    text = explain(pod, space, catalog, decision, verdict=verdict).rstrip("\n")
    console.line(text if is_decidable else f"The labels of namespace {namespace} are not known.")
    details = _details(start, decision, has, events, unknown=unknown, state=state)
    return ExplainedItem(
        "Pod", namespace, name, (*found, *decision.errors), decision.warnings, details
    )


def _outcome(pod: Pod, decision: Decision) -> str:
    """Complete "Decided about it as it stands: "."""
    if decision.denied:
        return "it would be refused today"
    if pod.host_network:
        return "it runs in the host's network and gets no planes"
    count = len(decision.attachments)
    if not count:
        return "its default network only"
    return f"its default network and {count} more"


def _shown(text: str) -> _Has:
    """Return the interfaces of a network-status; its author may be anybody."""
    if not text:
        return _Has()
    path = f"metadata.annotations[{STATUS_ANNOTATION}]"
    remedy = "delete the pod: a new one gets its own"
    if len(text) > MAX_STATUS_CHARACTERS:
        return _Has(fault=Finding(path, "cannot read the network-status: it is too long", remedy))
    try:
        return _Has(tuple(parse_status(text)[:_SHOWN_INTERFACES]))
    except BadInput as error:
        return _Has(fault=Finding(path, error.message, remedy))


def _missing(decision: Decision, has: _Has, start: PodStart) -> Iterator[Finding]:
    """Yield the interfaces that a running pod is to have and does not show."""
    if start.stage not in {PodStage.RUNNING, PodStage.WAITING} or has.fault is not None:
        return
    shown = {(one.name, one.interface) for one in has.interfaces}
    for one in decision.attachments:
        if (str(one.network), one.interface) not in shown:
            what = f"plane {one.plane}" if one.plane else f"NAD {one.network}"
            yield Finding(
                f"metadata.annotations[{STATUS_ANNOTATION}]",
                f"cannot find {one.interface} of {what} among the pod's interfaces",
                "delete the pod, so that a new one gets it: networks are attached at the start",
            )


def _print(
    console: Console,
    pod: Pod,
    start: PodStart,
    decision: Decision,
    has: _Has,
    *,
    events: Sequence[SeenEvent],
    missing: Sequence[Finding],
) -> None:
    where = f" on node {one_line(pod.node, _LONGEST)}" if pod.node else ""
    console.line(f"Pod {pod.key}{where} {start.text}.", "red" if start.faults else "")
    planes = {str(one.network): one.plane for one in decision.attachments if one.plane}
    if has.interfaces:
        console.line("")
        console.line("It has:")
    for one in has.interfaces:
        plane = planes.get(one.name)
        kind = "its default network" if one.default else f"plane {plane}" if plane else "network"
        name = "" if one.default or plane else f" {one_line(one.name, _LONGEST)}"
        ips = one_line(first_few(one.ips, _SHOWN_ADDRESSES), _LONGEST) or "no address"
        console.line(f"  {one_line(one.interface, _LONGEST) or '?'}  {kind}{name}  {ips}")
    _print_findings(console, "It does not start because:", start.faults)
    _print_findings(console, "Missing:", missing)
    _print_findings(console, "Unreadable:", [has.fault] if has.fault else [])
    told = [event for event in events if event.is_ours or event.type == "Warning"]
    if told:
        console.line("")
        console.line("Last events:")
    for event in told[-_SHOWN_EVENTS:]:
        often = f" ({event.count} times)" if event.count > 1 else ""
        console.line(f"  {event.when}  {event.type}  {event.reason}{often}: {event.message}")


def _print_findings(console: Console, title: str, findings: Sequence[Finding]) -> None:
    if not findings:
        return
    console.line("")
    console.line(title)
    for finding in findings:
        console.line(f"  - {finding.message}")
        console.line(f"    remedy: {finding.remedy}")


def _details(
    start: PodStart,
    decision: Decision,
    has: _Has,
    events: Sequence[SeenEvent],
    *,
    unknown: Sequence[str],
    state: DecisionState,
) -> JsonObject:
    return {
        "stage": start.stage.name.lower(),
        "starts": not start.faults,
        **decision_json(decision),
        "interfaces": [one.to_json() for one in has.interfaces],
        "events": [event.as_json() for event in events],
        "ignored": [{"where": one.where, "reason": one.reason} for one in state.ignored],
        "unknown": list(unknown),
    }
