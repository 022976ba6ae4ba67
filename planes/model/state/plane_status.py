"""The status of a plane: conditions and counts, computed from what was observed.

Pure: where nothing changed, the status is the earlier one, so that a controller writes only
changes. Counts are taken from all pods and namespaces, never updated by adding and subtracting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from planes.model.errors import Finding, JsonObject
from planes.model.spec.plane_spec import IpamMode, Plane
from planes.model.state.claims import Tally
from planes.model.state.kubelet_devices import NEEDS_DEVICE
from planes.model.state.plane_counts import (
    AddressCounts,
    capacity,
    dynamic_size,
    is_exhausted,
)
from planes.model.state.plane_health import availability
from planes.model.state.plane_users import Users

_MESSAGE_CHARACTERS = 8192
AVAILABLE = "Available"
EXHAUSTED = "Exhausted"
_IGNORED = "BlocksIgnored"
_ACCEPTED = "Accepted"
_BLOCKED = "DeletionBlocked"
_OVERLAPPING = "Overlapping"
CLUSTER_OVERLAP = "ClusterOverlap"
"""Reason of Overlapping=True where addresses are those of the cluster's pods, Services or nodes."""
ADDRESSES_TAKEN = "AddressesTaken"
"""Reason of Accepted=False where an earlier plane hands out the same addresses on the same wire."""
_NAMED = 4
_MOST = 2**53
"""A larger capacity is left out: JSON clients cannot represent it exactly."""
_ONE_DEVICE_EACH = frozenset({"host-device", "sriov"})
"""Types of which each pod takes a device of its node: addresses do not limit their pods."""


@dataclass(frozen=True, slots=True)
class NadState:
    """The state of the NAD that backs a plane."""

    is_ready: bool | None
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that a status is computed from, besides the plane itself.

    Attributes:
        faults: errors of its spec; with any of them it is not in force.
        withheld: why it is not in force although its spec is valid.
        overlaps: texts of `overlaps.find_overlaps`.
        cluster: texts of `ClusterNets.overlaps`.
        namespaces: number of namespaces that joined.
        tallies: addresses that pods say to have, by IP version.
        counts: of the plane's own addresses, by IP version.
        blocks: blocks of addresses that nodes hold.
        ignored: IPBlocks that nodes do not use, with the fault of each.
        users: the pods that block its deletion; None where it is not being deleted.
        available: status, reason and message, see `plane_health.availability`.
        without_effect: values of its spec that nothing enforces; it is in force all the same.
    """

    nad: NadState
    faults: Sequence[Finding] = ()
    withheld: Finding | None = None
    overlaps: Sequence[str] = ()
    cluster: Sequence[str] = ()
    namespaces: int = 0
    tallies: Mapping[int, Tally] = field(default_factory=dict)
    counts: Mapping[int, AddressCounts] = field(default_factory=dict)
    blocks: int = 0
    ignored: Mapping[str, str] = field(default_factory=dict)
    users: Users | None = None
    available: tuple[bool | None, str, str] = field(default_factory=lambda: availability({}, 0))
    without_effect: Sequence[Finding] = ()


def status_of(plane: Plane, seen: Observed, before: Any, now: str) -> JsonObject:
    """Return the status of a plane.

    Args:
        plane: as far as it could be read.
        seen: what was observed.
        before: its current status; an unchanged condition keeps its transition time.
        now: RFC 3339 time.
    """
    old = _old_conditions(before)
    conditions = [
        _condition(plane.generation, verdict, old.get(verdict[0]), now)
        for verdict in (
            _accepted(seen),
            *_blocked(plane, seen.users),
            *_judged(plane, seen, old.get(EXHAUSTED)),
        )
    ]
    status: JsonObject = {
        "observedGeneration": plane.generation,
        "conditions": conditions,
        "namespaces": seen.namespaces,
    }
    if not seen.faults:
        status.update(_counts(plane, seen), nad=str(plane.ref))
    return status


_Verdict = tuple[str, bool | None, str, str]
"""Type, status (None: unknown), reason, message."""


def _accepted(seen: Observed) -> _Verdict:
    if seen.withheld is not None and not seen.faults:
        text = f"the plane is not in force: {seen.withheld}; pods that have it keep it"
        return _ACCEPTED, False, ADDRESSES_TAKEN, text
    if not seen.faults:
        if seen.nad.reason == NEEDS_DEVICE:
            return _ACCEPTED, False, NEEDS_DEVICE, seen.nad.message
        notes = "".join(f"; {each}" for each in seen.without_effect)
        return _ACCEPTED, True, "Valid", f"the plane is in force{notes}"
    texts = "; ".join(map(str, seen.faults))
    return _ACCEPTED, False, "Invalid", f"the plane is not in force as it is written: {texts}"


def _judged(plane: Plane, seen: Observed, exhausted: JsonObject | None) -> Iterator[_Verdict]:
    if seen.faults:
        for name in (_OVERLAPPING, "NADReady", AVAILABLE, EXHAUSTED, _IGNORED):
            yield name, None, "NotAccepted", "the plane is not accepted"
        return
    yield _overlapping(seen)
    yield "NADReady", seen.nad.is_ready, seen.nad.reason, seen.nad.message
    yield AVAILABLE, *seen.available
    yield _exhausted(plane, seen, exhausted)
    yield _ignored(seen.ignored)


def _overlapping(seen: Observed) -> _Verdict:
    if seen.cluster:
        return _OVERLAPPING, True, CLUSTER_OVERLAP, "; ".join((*seen.cluster, *seen.overlaps))
    if seen.overlaps:
        text = f"{'; '.join(seen.overlaps)}; no address is handed out by two planes in force"
        return _OVERLAPPING, True, "CIDRsOverlap", text
    return _OVERLAPPING, False, "NoOverlap", "no other plane has these addresses"


def newly_in_cluster(before: Any, after: Any) -> str:
    """Return the message of a new overlap with the cluster's networks; "" where it is not new."""
    old, new = (_old_conditions(status).get(_OVERLAPPING, {}) for status in (before, after))
    is_new = new.get("reason") == CLUSTER_OVERLAP and new.get("reason") != old.get("reason")
    return str(new["message"]) if is_new else ""


def _exhausted(plane: Plane, seen: Observed, old: JsonObject | None) -> _Verdict:
    if plane.ipam_mode is not IpamMode.PLANE:
        return EXHAUSTED, False, "NotCounted", "the plane hands out no addresses itself"
    was = old is not None and old.get("status") == "True"
    for counts in _by_family(plane, seen):
        if counts.dynamic and is_exhausted(counts, was):
            return EXHAUSTED, True, *_few_left(counts)
    return EXHAUSTED, False, "AddressesLeft", "there are addresses left"


def _few_left(counts: AddressCounts) -> tuple[str, str]:
    """Return reason and message about addresses that run out."""
    all_of_them = f"{counts.dynamic} IPv{counts.version} addresses that are handed out unasked"
    rest = f", and {counts.cooling} rest" if counts.cooling else ""
    text = f"{counts.left} of the {all_of_them} are left: {counts.used} are in use{rest}"
    reason = "FewAddressesLeft" if counts.left else "NoAddressLeft"
    return reason, f"{text}; widen the plane's ranges, or delete pods that have it"


def newly_exhausted(before: Any, after: Any) -> str:
    """Return the message that few addresses are left; "" where that was so before."""
    old, new = (_old_conditions(status).get(EXHAUSTED, {}) for status in (before, after))
    is_new = new.get("status") == "True" and old.get("status") != "True"
    return str(new["message"]) if is_new else ""


def _ignored(blocks: Mapping[str, str]) -> _Verdict:
    if not blocks:
        return _IGNORED, False, "NoneIgnored", "every IPBlock of the plane is one that we make"
    few = list(blocks.items())[:_NAMED]
    more = f" and {len(blocks) - len(few)} more" if len(blocks) > len(few) else ""
    texts = "; ".join(f"{name}: {fault}" for name, fault in few)
    names = " ".join(name for name, _ in few)
    return (
        _IGNORED,
        True,
        "NotOurs",
        f"no node hands out addresses by these IPBlocks{more}: {texts}; find out who made them "
        f"(spec.madeBy names a node), and delete them: kubectl delete ipb {names}",
    )


def _blocked(plane: Plane, users: Users | None) -> Iterator[_Verdict]:
    """Yield the condition DeletionBlocked where the plane is being deleted."""
    if users is None:
        return
    if not users.count:
        yield _BLOCKED, False, "NotInUse", "no pod has the plane, and it goes"
        return
    spaces = ", ".join(users.namespaces)
    text = (
        f"the plane was deleted and stays in force until no pod has it: {users}; take namespaces "
        f"out of it ({spaces}: remove the label {plane.label}) and delete the pods, or set "
        "spec.deletionPolicy to Orphan"
    )
    yield _BLOCKED, True, "PodsAttached", text


def newly_blocked(before: Any, after: Any) -> str:
    """Return the message of a deletion that is blocked now; "" where it was before."""
    old, new = (_old_conditions(status).get(_BLOCKED, {}) for status in (before, after))
    is_new = new.get("status") == "True" and old.get("status") != "True"
    return str(new["message"]) if is_new else ""


def newly_ignored(before: Any, after: Any) -> str:
    """Return the message about ignored IPBlocks; "" where it has not changed."""
    old, new = (_old_conditions(status).get(_IGNORED, {}) for status in (before, after))
    is_new = new.get("status") == "True" and new.get("message") != old.get("message")
    return str(new["message"]) if is_new else ""


def newly_withheld(before: Any, after: Any) -> str:
    """Return the message that an earlier plane has the addresses; "" where it has not changed."""
    old, new = (_old_conditions(status).get(_ACCEPTED, {}) for status in (before, after))
    is_new = new.get("reason") == ADDRESSES_TAKEN and new.get("message") != old.get("message")
    return str(new["message"]) if is_new else ""


def _by_family(plane: Plane, seen: Observed) -> list[AddressCounts]:
    """Return the counts of each family; of one that was not counted all addresses are left."""
    return [
        seen.counts.get(version)
        or AddressCounts(version, dynamic_size(plane, version), capacity(plane, version))
        for version in sorted(plane.families)
    ]


def _counts(plane: Plane, seen: Observed) -> JsonObject:
    """Return the counts of the family that has the fewest left; one interface takes one of each."""
    if plane.ipam_mode is not IpamMode.PLANE or not plane.families:
        most = max((tally.attached for tally in seen.tallies.values()), default=0)
        static = sum(tally.static for tally in seen.tallies.values())
        return {"inUse": most, "static": static}
    found = min(_by_family(plane, seen), key=lambda counts: (counts.available, counts.capacity))
    counts: JsonObject = {
        "inUse": found.in_use,
        "static": found.static,
        "cooling": found.cooling,
        "blocks": seen.blocks,
    }
    is_by_address = plane.network is None or plane.network.type not in _ONE_DEVICE_EACH
    if not is_by_address or found.capacity > _MOST:
        return counts
    return {"capacity": found.capacity, **counts, "available": found.available}


def _old_conditions(before: Any) -> dict[str, JsonObject]:
    conditions = before.get("conditions") if isinstance(before, dict) else None
    return {
        each["type"]: each
        for each in (conditions if isinstance(conditions, list) else ())
        if isinstance(each, dict) and isinstance(each.get("type"), str)
    }


def _condition(generation: int, verdict: _Verdict, old: JsonObject | None, now: str) -> JsonObject:
    name, is_true, reason, message = verdict
    status = "Unknown" if is_true is None else str(is_true)
    since = now
    if old is not None and old.get("status") == status and old.get("lastTransitionTime"):
        since = old["lastTransitionTime"]
    if len(message) > _MESSAGE_CHARACTERS:
        message = message[: _MESSAGE_CHARACTERS - 1] + "…"
    return {
        "type": name,
        "status": status,
        "observedGeneration": generation,
        "lastTransitionTime": since,
        "reason": reason,
        "message": message,
    }
