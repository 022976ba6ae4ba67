"""Bound how many of an audit's entries rest on what pods of one namespace show.

The author of a pod may write its network-status. So whoever may create pods could make a hundred
thousand entries, among which nobody would see the others. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from planes.kube.addresses.cluster_audit import AuditEntry, ClusterFacts, Misfit
from planes.model.addresses import parse_address
from planes.model.bounds import MAX_CLAIMS_OF_NAMESPACE

MOST_HINTS: Final = 100
"""Entries of one namespace."""


def few_hints(found: Iterable[AuditEntry], facts: ClusterFacts) -> Iterator[AuditEntry]:
    """Yield entries, of those that rest on a network-status the first of each namespace.

    An entry about pods of several namespaces counts for the one that has most of them: nobody can
    use up what another namespace has.

    Args:
        found: the entries.
        facts: what they were found in.
    """
    entries = sorted(found)
    spaces = {one: _spaces(one, facts) for one in entries if _is_hint(one)}
    involved = Counter(space for several in spaces.values() for space in several)
    counts: Counter[str] = Counter()
    for one in entries:
        if several := spaces.get(one):
            blamed = max(several, key=lambda space: (involved[space], space))
            counts[blamed] += 1
            if counts[blamed] > MOST_HINTS:
                continue
        yield one
    for space, count in sorted(counts.items()):
        if count > MOST_HINTS:
            more = f"{count - MOST_HINTS:,} more addresses that do not fit"
            yield _unread(space, f"pods of namespace {space} show {more}")
    for space, count in sorted(facts.counts.items()):
        if count > MAX_CLAIMS_OF_NAMESPACE:
            most = f"more addresses than the {MAX_CLAIMS_OF_NAMESPACE:,} that are compared"
            yield _unread(space, f"pods of namespace {space} show {most}")


def _is_hint(one: AuditEntry) -> bool:
    return one.kind is Misfit.NO_HOLDER or (one.kind is Misfit.DUPLICATE and bool(one.pod))


def _spaces(one: AuditEntry, facts: ClusterFacts) -> Collection[str]:
    pods = facts.shown.get((one.plane, parse_address(one.what)), [one.pod])
    return {pod.partition("/")[0] for pod in pods}


def _unread(space: str, text: str) -> AuditEntry:
    return AuditEntry(Misfit.UNREAD, "", space, "", "", text)
