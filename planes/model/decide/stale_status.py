"""The network-status in a new pod's annotations: remove it, or refuse the pod.

A backup, or `kubectl get pod -o yaml`, has the network-status that a node wrote. A new pod has no
network yet, so any network-status of it is wrong. Removing it is as safe as refusing the pod: no
forged status is kept, and a restore works (velero-io/velero#9719).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from planes.model.errors import Finding
from planes.model.names import STATUS_ANNOTATIONS
from planes.model.objects import Pod


@dataclass(frozen=True, slots=True)
class CleanedPod:
    """A new pod without network-status.

    Attributes:
        removed: keys of the annotations that have to be removed.
        warnings: one about each that was not empty.
    """

    pod: Pod
    removed: tuple[str, ...] = ()
    warnings: tuple[Finding, ...] = ()


def drop_stale_status(pod: Pod) -> CleanedPod:
    """Return a pod that is being created, without its network-status."""
    removed = tuple([key for key in STATUS_ANNOTATIONS if key in pod.annotations])
    if not removed:
        return CleanedPod(pod)
    kept = {key: text for key, text in pod.annotations.items() if key not in removed}
    warnings = tuple(
        Finding(
            f"metadata.annotations[{key}]",
            "it was removed: a new pod has no network-status before its node writes it",
            "leave it out of manifests and restored pods",
        )
        for key in removed
        if pod.annotations[key].strip()
    )
    return CleanedPod(replace(pod, annotations=kept), removed, warnings)


def forged_statuses(pod: Pod) -> Iterator[Finding]:
    """Yield an error for each network-status of a pod that is being created.

    `drop_stale_status` has removed it in the mutating webhook. One that is there all the same was
    written past that, and a reader would believe it until the pod's node has written its own.
    """
    for key in STATUS_ANNOTATIONS:
        if pod.annotations.get(key, "").strip():
            yield Finding(
                f"metadata.annotations[{key}]",
                "cannot create a pod with a network-status: only its node writes it",
                "remove the annotation",
                403,
            )
