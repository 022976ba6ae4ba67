"""Checks of NADs by the policy for tenants, cached until a NAD changes.

A catalog passes the cache on to the next one; the policy does not change while a process runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Final, NamedTuple

from planes.model.errors import Finding
from planes.model.near_names import DID_YOU_MEAN
from planes.model.objects import Nad, NadRef
from planes.model.spec.nad_policy import NadPolicy
from planes.model.state.nad_guard import judge_nad
from planes.model.state.nad_keys import NadFindings

_MOST: Final = 4096
"""NADs in use; bounds the cache of deleted ones."""
_MOST_TYPOS: Final = 4  # of one NAD that a pod's author is warned of


class _Judged(NamedTuple):
    nad: Nad
    findings: tuple[Finding, ...]
    typos: tuple[Finding, ...]


class NadChecks:
    """Checks NADs by a policy, and caches the results."""

    __slots__ = ("_judged", "_owners", "policy")

    def __init__(self, policy: NadPolicy | None = None) -> None:
        self.policy: Final = policy or NadPolicy()
        self._judged: dict[tuple[NadRef, str], _Judged] = {}
        self._owners: dict[NadRef, tuple[Nad, object, object, NadRef | None]] = {}

    def owner(
        self, nad: Nad, namesakes: object, planes: object, find: Callable[[], NadRef | None]
    ) -> NadRef | None:
        """Return the NAD whose addresses another one would take, cached for what it depends on.

        Args:
            nad: the NAD.
            namesakes: the NADs of its network's name, the same object while none has changed.
            planes: all planes, the same object while none has changed.
            find: looks for it.
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
        """Return faults of a NAD, and what neither its author nor its user may use.

        Args:
            nad: the NAD.
            user: namespace of a pod that names it: interfaces for one namespace's NADs are for pods
                of that namespace alone. "" for the NAD's own.
        """
        if nad.plane is not None:  # rendered from a plane of the administrator
            return ()
        found = self._findings(nad, nad.namespace)
        is_own = user in {"", nad.namespace} or not self.policy.is_tenant(user)
        if found or is_own or not self.policy.is_scoped:
            return found
        return self._findings(nad, user)

    def typos(self, nad: Nad) -> tuple[Finding, ...]:
        """Return warnings of keys and plugins in a NAD that are probably misspelt.

        They are allowed in an administrator's NAD, as a node may have plugins of any name.
        """
        if nad.plane is not None or self.policy.restricts(nad.namespace):
            return ()
        return self._judge(nad, nad.namespace).typos

    def _findings(self, nad: Nad, user: str) -> tuple[Finding, ...]:
        return self._judge(nad, user).findings

    def _judge(self, nad: Nad, user: str) -> _Judged:
        key = nad.ref, user
        known = self._judged.get(key)
        if known is not None and known.nad is nad:
            return known
        found = judge_nad(nad, self.policy, user)
        findings = tuple(found.faults)
        if self.policy.restricts(nad.namespace):
            findings += (*found.breaches, *found.unknown)
        if len(self._judged) >= _MOST:
            self._judged.clear()
        typos = tuple(islice(_typos(nad, found), _MOST_TYPOS))
        judged = self._judged[key] = _Judged(nad, findings, typos)
        return judged


def _typos(nad: Nad, found: NadFindings) -> Iterator[Finding]:
    for each in found.unknown:
        if each.remedy.startswith(DID_YOU_MEAN):
            message = each.message.removeprefix("cannot use ")
            yield replace(each, path=f"NAD {nad.ref} {each.path}", message=message)
