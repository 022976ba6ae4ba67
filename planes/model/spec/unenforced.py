"""Fields of the Plane API that this version does not enforce, and the values they may have.

A value that asks for more is refused: an administrator must never rely on a rule that is not kept.
One field was accepted by earlier versions, which did not enforce it either, and one had another
type: a plane that is stored so stays in force, and its status names the field. No plane can be
written so any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from planes.model.errors import Finding
from planes.model.spec.spec_reader import SpecReader


class _Unenforced(NamedTuple):
    """A field of the Plane API that this version does not enforce.

    Attributes:
        field: its path in the spec.
        is_accepted: reports whether a value changes nothing: the default, mostly.
    """

    field: str
    is_accepted: Callable[[Any], bool]
    remedy: str
    message: str = "cannot keep this rule: this version does not enforce it"


_UNENFORCED: Final = (
    _Unenforced("isolation.default", lambda v: v == "Allow", "leave it out or give Allow"),
    _Unenforced("isolation.antiSpoof", lambda v: v is False, "leave it out or give false"),
    # Its default says what is not so. API servers wrote it into stored planes.
    _Unenforced(
        "enforcement.workloads",
        lambda v: v == "Warn",
        "leave it out",
        "cannot choose: this version reviews pods, not workloads",
    ),
    _Unenforced("dynamicAttach", lambda v: v is False, "leave it out or give false"),
)


_STORED: Final = frozenset({"spec.enforcement.workloads"})
"""Fields that planes were stored with before any value was refused."""


def split_stored(findings: Iterable[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Return what is wrong with a stored plane, and what of it only has no effect."""
    faults: list[Finding] = []
    without_effect: list[Finding] = []
    for finding in findings:
        (without_effect if finding.path in _STORED else faults).append(finding)
    return faults, without_effect


def outdated(obj: Mapping[str, Any]) -> list[Finding]:
    """Return what a stored plane says in a way that no plane can be written any more.

    It means what it meant. Server-side apply converts the stored object to the present definition
    first, so it fails on such a field whatever is applied.
    """
    spec = obj.get("spec")
    ipam = spec.get("ipam") if isinstance(spec, dict) else None
    if not isinstance(ipam, dict) or ipam.get("conflictDetection") is not False:
        return []
    name = str((obj.get("metadata") or {}).get("name") or "NAME")
    finding = Finding(
        "spec.ipam.conflictDetection",
        "cannot stay false: it is None or Probe now, and kubectl apply --server-side fails until "
        "it is taken out",
        f"kubectl patch planes.netplane.io {name:.63} --type=merge "
        '-p \'{"spec":{"ipam":{"conflictDetection":null}}}\'',
    )
    return [finding]


def refuse_unenforced(spec: SpecReader) -> None:
    """Add a finding for each value that asks for what this version does not enforce."""
    spec.child("isolation", "default antiSpoof")
    for each in _UNENFORCED:
        parent, _, key = each.field.partition(".")
        value = spec.raw(parent)
        if key:
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None and not each.is_accepted(value):
            spec.report(each.field, each.message, each.remedy)
