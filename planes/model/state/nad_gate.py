"""What keeps every pod from a NAD: judged when it is first asked for, and again once it changed.

Remembered by the NAD itself, so that a catalog with other NADs need not judge these anew; what
tenants' NADs may be does not change while a process runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from planes.model.errors import Finding
from planes.model.objects import Nad, NadRef
from planes.model.spec.nad_policy import NadPolicy
from planes.model.state.nad_guard import judge_nad

_MOST: Final = 4096
"""NADs in use; bounds what is remembered of deleted ones."""


class NadGate:
    """Judges NADs by a policy, and remembers."""

    __slots__ = ("_judged", "_owners", "policy")

    def __init__(self, policy: NadPolicy | None = None) -> None:
        self.policy: Final = policy or NadPolicy()
        self._judged: dict[tuple[NadRef, str], tuple[Nad, tuple[Finding, ...]]] = {}
        self._owners: dict[NadRef, tuple[Nad, object, object, NadRef | None]] = {}

    def owner(
        self, nad: Nad, namesakes: object, planes: object, find: Callable[[], NadRef | None]
    ) -> NadRef | None:
        """Give whose addresses a NAD would take, found once for what it depends on.

        Args:
            nad: the NAD.
            namesakes: the networks of its name, the same object while none of them has changed.
            planes: all planes, the same object while none has changed.
            find: finds it.
        """
        known = self._owners.get(nad.ref)
        if known and known[0] is nad and known[1] is namesakes and known[2] is planes:
            return known[3]
        found = find()
        if len(self._owners) >= _MOST:
            self._owners.clear()
        self._owners[nad.ref] = nad, namesakes, planes, found
        return found

    def findings(self, nad: Nad, user: str = "") -> tuple[Finding, ...]:
        """Give what is beyond all bounds in a NAD, or more than its author may, or its user.

        Args:
            nad: the NAD.
            user: namespace of a pod that names it: an interface that tenants' NADs of one
                namespace may stand on is for the pods of that namespace. "" for the NAD's own.
        """
        if nad.plane is not None:  # what we render is the administrator's word
            return ()
        found = self._findings(nad, nad.namespace)
        is_own = user in {"", nad.namespace} or not self.policy.is_tenant(user)
        if found or is_own or not self.policy.is_scoped:
            return found
        return self._findings(nad, user)

    def _findings(self, nad: Nad, user: str) -> tuple[Finding, ...]:
        key = nad.ref, user
        known = self._judged.get(key)
        if known is not None and known[0] is nad:
            return known[1]
        found = judge_nad(nad, self.policy, user)
        findings = tuple(found.faults)
        if self.policy.restricts(nad.namespace):
            findings += (*found.breaches, *found.unknown)
        if len(self._judged) >= _MOST:
            self._judged.clear()
        self._judged[key] = nad, findings
        return findings
