"""What keeps every pod from a NAD: judged when it is first asked for, and again once it changed.

Remembered by the NAD itself, so that a catalog with other NADs need not judge these anew; what
tenants' NADs may be does not change while a process runs.
"""

from __future__ import annotations

from typing import Final

from planes.model.errors import Finding
from planes.model.objects import Nad, NadRef
from planes.model.spec.nad_policy import NadPolicy
from planes.model.state.nad_guard import judge_nad

_MOST: Final = 4096
"""NADs in use; bounds what is remembered of deleted ones."""


class NadGate:
    """Judges NADs by a policy, and remembers."""

    __slots__ = ("_judged", "policy")

    def __init__(self, policy: NadPolicy | None = None) -> None:
        self.policy: Final = policy or NadPolicy()
        self._judged: dict[tuple[NadRef, str], tuple[Nad, tuple[Finding, ...]]] = {}

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
