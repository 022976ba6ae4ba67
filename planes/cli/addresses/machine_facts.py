"""Compare what records, journal, network-status and pods of one machine say of addresses.

Pure: `planes.cli.addresses.machine_check` reads. Nothing here frees anything: the daemon does that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from planes.kube.addresses.cluster_audit import AuditEntry, Misfit
from planes.model.addresses import IPAddress
from planes.model.decide.adoption import is_adopted
from planes.model.lines import first_few
from planes.model.spec.plane_spec import Plane
from planes.store.protocol import AddressOwner

Attachment = tuple[str, str]
"""Container and interface."""
Place = tuple[str, IPAddress]
"""Plane and address."""


@dataclass(frozen=True, slots=True)
class JournalFacts:
    """What the daemon's journal says.

    Attributes:
        pods: the pod of each attachment, `namespace/name` or "".
        has: addresses of planes that attachments have whose ADD has succeeded.
        damaged: files that are no whole entries, each with the fault.
    """

    pods: Mapping[Attachment, str] = field(default_factory=dict)
    has: Mapping[Place, list[Attachment]] = field(default_factory=dict)
    damaged: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class MachineFacts:
    """What was read, in any order.

    Attributes:
        planes: those that hand out addresses themselves.
        records: holders by plane and address.
        pods: UIDs of the manifests' pods, by `namespace/name`.
        shown: pods by what their network-status has; `statuses` are all pods that have one.
        journal: None where it cannot be read.
    """

    planes: Mapping[str, Plane]
    records: dict[Place, AddressOwner] = field(default_factory=dict)
    pods: dict[str, str] = field(default_factory=dict)
    shown: dict[Place, list[str]] = field(default_factory=dict)
    statuses: list[str] = field(default_factory=list)
    journal: JournalFacts | None = None


def audit_machine(facts: MachineFacts) -> Iterator[AuditEntry]:
    """Yield what does not fit."""
    for place, owner in facts.records.items():
        yield from _record(facts, place, owner)
    if facts.journal is not None:
        yield from _attachments(facts, facts.journal)
    yield from _statuses(facts)


def _record(facts: MachineFacts, place: Place, owner: AddressOwner) -> Iterator[AuditEntry]:
    pod = _pod(owner)
    if place[0] not in facts.planes:
        text = "there is no plane of that name that hands out addresses"
        yield _entry(Misfit.ORPHANED, place, text, pod, owner.node)
    journal, attachment = facts.journal, (owner.container_id, owner.interface)
    if not owner.container_id:
        text = "its record is damaged, so nobody can release it but the daemon"
        yield _entry(Misfit.LEAKED, place, text)
    elif journal is not None and attachment not in journal.pods:
        if not is_adopted(owner.container_id):
            text = "no attachment of the journal has it"
            yield _entry(Misfit.LEAKED, place, text, pod, owner.node)
    elif owner.uid and facts.pods.get(pod, owner.uid) not in {"", owner.uid}:
        text = "its pod is gone: another one has its name"
        yield _entry(Misfit.NO_POD, place, text, pod, owner.node)


def _attachments(facts: MachineFacts, journal: JournalFacts) -> Iterator[AuditEntry]:
    for place, attachments in journal.has.items():
        pods = [journal.pods.get(one, "") for one in attachments]
        if len(attachments) > 1:
            text = f"also {_sandbox(attachments[1], pods[1])} has it"
            yield _entry(Misfit.DUPLICATE, place, text, pods[0])
        owner = facts.records.get(place)
        if owner is None:
            text = f"{_sandbox(attachments[0], pods[0])} has it, and no record holds it"
            yield _entry(Misfit.NO_RECORD, place, text, pods[0])
            continue
        holder = owner.container_id, owner.interface
        is_known = owner.container_id and not is_adopted(owner.container_id)
        if is_known and holder not in attachments:
            text = f"it is held for {_sandbox(holder, _pod(owner))}"
            yield _entry(Misfit.DUPLICATE, place, text, pods[0], owner.node)
    for name, fault in journal.damaged.items():
        yield AuditEntry(Misfit.DAMAGED, "", name, "", "", f"no whole journal entry: {fault}")


def _statuses(facts: MachineFacts) -> Iterator[AuditEntry]:
    known = {*facts.pods, *map(_pod, facts.records.values())}
    known.update(() if facts.journal is None else facts.journal.pods.values())
    for pod in facts.statuses:
        if pod not in known:
            text = "there is no such pod"
            yield AuditEntry(Misfit.STATUS_NO_POD, "", "network-status", "", pod, text)
    for place, pods in facts.shown.items():
        others = sorted(set(pods))
        if len(others) > 1:
            text = f"also pod {first_few(others[1:], 3)} shows it"
            yield _entry(Misfit.DUPLICATE, place, text, others[0])
        owner = facts.records.get(place)
        if owner is None:
            text = "a pod shows it, and no record holds it"
            yield _entry(Misfit.NO_HOLDER, place, text, others[0])
        elif owner.pod and _pod(owner) not in others:
            text = f"it is held for pod {_pod(owner)}"
            yield _entry(Misfit.DUPLICATE, place, text, others[0], owner.node)


def _entry(kind: Misfit, place: Place, text: str, pod: str = "", node: str = "") -> AuditEntry:
    plane, address = place
    return AuditEntry(kind, plane, str(address), node, pod, text)


def _pod(owner: AddressOwner) -> str:
    return f"{owner.namespace}/{owner.pod}" if owner.pod else ""


def _sandbox(attachment: Attachment, pod: str) -> str:
    container, interface = attachment
    return f"pod {pod}" if pod else f"interface {interface} of sandbox {container:.12}"
