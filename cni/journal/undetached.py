"""Limit the sandboxes of a namespace on this node that cannot be detached.

What cannot be detached stays in the journal and is retried for ever. A tenant can write a NAD whose
plugin refuses each DEL (e.g. for an address that is none), and the kubelet creates a new sandbox
for each attempt to start a pod. So beyond the limit, ADDs with NADs of the pod's choice fail.
Planes and the cluster network are the administrator's: failures of theirs do not count, and pods
without other networks still start.
"""

from __future__ import annotations

from typing import Final

from cni.journal.entry import Entry, Stage
from cni.journal.error_subject import ErrorSubject
from cni.journal.journal import Journal
from planes.model.errors import Unavailable

MOST_UNDETACHED: Final = 32
"""Most sandboxes of a namespace on this node that cannot be detached from NADs of its pods."""


def check_undetached(entry: Entry, journal: Journal) -> None:
    """Refuse an ADD with NADs of its pod's choice where its namespace has reached the limit.

    Raises:
        Unavailable: it has; the ADD may be retried when some are detached.
    """
    chosen = next((one for one in entry.attachments if one.is_chosen), None)
    if chosen is None:
        return
    left = [one for one in journal.entries() if _is_undetached(entry.namespace, one)]
    if len(left) < MOST_UNDETACHED:
        return
    whose = f"namespace {entry.namespace}" if entry.namespace else "no pod's"
    latest = max(left, key=lambda one: one.failed_since)
    raise Unavailable(
        f"cannot attach {ErrorSubject.of(chosen)} on node {entry.node}: {len(left)} sandboxes "
        f"of {whose} could not be detached from networks of their own here; latest: {latest.fault}",
        remedy="correct these networks, or delete them and have an administrator look at "
        "`netplane-cni pending` on the node",
    )


def _is_undetached(namespace: str, entry: Entry) -> bool:
    return (
        entry.namespace == namespace
        and entry.stage is Stage.LEAVING
        and entry.attempts > 0
        and any(not one.plane and not one.is_cluster_network for one in entry.attachments)
    )
