"""What a Plane's `status` says: conditions and counts, from what was observed of it.

Pure: the same observation over the same earlier status gives the same status, and where nothing
changed the earlier one, so that a controller writes only what is new. Numbers are counted from
pods and namespaces as they are, never kept up to date by adding and subtracting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from planes.model.addresses import AddressRange, subtract
from planes.model.errors import Finding, JsonObject
from planes.model.spec.plane_spec import Allow, IpamMode, Plane
from planes.model.state.claims import Tally

_MESSAGE_CHARACTERS = 8192
_IGNORED = "BlocksIgnored"
_NAMED = 4
_MOST = 2**63 - 1
"""The largest number of the API; it stands for that many or more."""


@dataclass(frozen=True, slots=True)
class NadState:
    """How it stands with the NAD that backs a plane."""

    is_ready: bool | None
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything a status is made of, beside the plane itself.

    Attributes:
        faults: what is wrong with its spec; it is not in force then.
        overlaps: texts of `overlaps.find_overlaps`.
        namespaces: how many joined.
        tallies: addresses of pods, by IP version.
        blocks: blocks of addresses that nodes hold.
        ignored: IPBlocks that no node goes by, with what is wrong with each.
    """

    nad: NadState
    faults: Sequence[Finding] = ()
    overlaps: Sequence[str] = ()
    namespaces: int = 0
    tallies: Mapping[int, Tally] = field(default_factory=dict)
    blocks: int = 0
    ignored: Mapping[str, str] = field(default_factory=dict)


def status_of(plane: Plane, seen: Observed, before: Any, now: str) -> JsonObject:
    """Give the status of a plane.

    Args:
        plane: as far as it could be read.
        seen: what was observed.
        before: the status it has; conditions whose status is the same keep their time.
        now: RFC 3339 time.
    """
    old = _old_conditions(before)
    conditions = [
        _condition(plane.generation, verdict, old.get(verdict[0]), now)
        for verdict in (_accepted(seen), *_judged(plane, seen))
    ]
    status: JsonObject = {
        "observedGeneration": plane.generation,
        "conditions": conditions,
        "namespaces": seen.namespaces,
    }
    if not seen.faults:
        status.update(_counts(plane, seen))
    return status


_Verdict = tuple[str, bool | None, str, str]
"""Type, status (None: unknown), reason, message."""


def _accepted(seen: Observed) -> _Verdict:
    if not seen.faults:
        return "Accepted", True, "Valid", "the plane is in force"
    texts = "; ".join(map(str, seen.faults))
    return "Accepted", False, "Invalid", f"the plane is not in force as it is written: {texts}"


def _judged(plane: Plane, seen: Observed) -> Iterator[_Verdict]:
    if seen.faults:
        for name in ("Overlapping", "NADReady", "Exhausted", _IGNORED):
            yield name, None, "NotAccepted", "the plane is not accepted"
        return
    if seen.overlaps:
        yield "Overlapping", True, "CIDRsOverlap", "; ".join(seen.overlaps)
    else:
        yield "Overlapping", False, "NoOverlap", "no other plane has these addresses"
    yield "NADReady", seen.nad.is_ready, seen.nad.reason, seen.nad.message
    yield _exhausted(plane, seen)
    yield _ignored(seen.ignored)


def _exhausted(plane: Plane, seen: Observed) -> _Verdict:
    if plane.ipam_mode is not IpamMode.PLANE:
        return "Exhausted", False, "NotCounted", "the plane hands out no addresses itself"
    for version in sorted(plane.families):
        tally = seen.tallies.get(version, Tally())
        size = dynamic_size(plane, version)
        used = tally.attached - tally.static
        if size and used >= size:
            message = f"all {size} IPv{version} addresses that are handed out unasked are in use"
            return "Exhausted", True, "NoAddressLeft", message
    return "Exhausted", False, "AddressesLeft", "there are addresses left"


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


def newly_ignored(before: Any, after: Any) -> str:
    """Give what a status says of ignored IPBlocks, where the one before did not; else ""."""
    old, new = (_old_conditions(status).get(_IGNORED, {}) for status in (before, after))
    is_new = new.get("status") == "True" and new.get("message") != old.get("message")
    return str(new["message"]) if is_new else ""


def _counts(plane: Plane, seen: Observed) -> JsonObject:
    """Count for the family that has the fewest left; one interface takes one of each."""
    if plane.ipam_mode is not IpamMode.PLANE or not plane.families:
        most = max((tally.attached for tally in seen.tallies.values()), default=0)
        return {"inUse": most, "static": _static(seen)}
    found = []
    for version in plane.families:
        used = seen.tallies.get(version, Tally()).attached
        found.append((capacity(plane, version) - used, capacity(plane, version), used))
    _, size, used = min(found)
    counts = {"capacity": min(size, _MOST), "inUse": used, "static": _static(seen)}
    return {**counts, "blocks": seen.blocks}


def _static(seen: Observed) -> int:
    return sum(tally.static for tally in seen.tallies.values())


def dynamic_size(plane: Plane, version: int) -> int:
    """Count the addresses of a family that pods get without asking for them."""
    return sum(
        span.size
        for subnet in plane.subnets
        if subnet.version == version
        for span in subnet.dynamic
    )


def capacity(plane: Plane, version: int) -> int:
    """Count the addresses of a family that a pod of the plane can have, asked for or not."""
    size = dynamic_size(plane, version)
    for subnet in plane.subnets:
        if subnet.version == version and plane.allow is Allow.ANY:
            more: tuple[AddressRange, ...] = subtract(subnet.askable, subnet.dynamic)
            size += sum(span.size for span in more)
    if plane.allow is not Allow.NEVER:
        size += sum(each.address.version == version for each in plane.reservations)
    return size


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
