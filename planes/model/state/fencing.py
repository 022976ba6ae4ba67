"""What live reads of a Node and its Lease prove: it runs no pods any more, or it is connected.

A kubelet renews its Lease in kube-node-lease every 10 seconds. While it does, it is connected to
the API server and stops pods that are gone there. Without renewals nothing is known: a node that is
only cut off goes on running its pods.

Invariant: every duration is measured by one monotonic clock of the reader. Times that nodes write
are compared with each other for equality only, so a wrong clock of a node changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

GONE_SECONDS: Final = 40.0
"""How long a Node object has to be missing, and its Lease with it: as long as the pod garbage
collector of Kubernetes waits before it deletes the pods of such a node (`quarantineTime`)."""
SOON_SECONDS: Final = 5.0
"""Kubernetes deletes the Lease a moment after the Node object: until it is looked for again."""
SILENT_SECONDS: Final = 300.0
"""How long a Lease that is still there must not have been renewed: 30 renewals."""
CONNECTED_SECONDS: Final = 60.0
"""How long a node has to be connected, without a break, until it has stopped a pod that is gone: 30
seconds are the default of `terminationGracePeriodSeconds`, and its sandbox goes after that."""
BREAK_SECONDS: Final = 40.0
"""`leaseDurationSeconds` of a kubelet: a Lease that is older shows that the node was cut off."""


class Fence(StrEnum):
    """Why a node counts as one that runs no pods."""

    GONE = "its Node object is gone, and its Lease with it"
    OUT_OF_SERVICE = "it is not ready and has the taint node.kubernetes.io/out-of-service"


@dataclass(frozen=True, slots=True)
class NodeLook:
    """One look at a node: its Node object, then its Lease, both read live.

    Attributes:
        began: when the first request was sent (seconds, monotonic).
        ended: when the last answer was there.
        is_there: there is a Node object.
        is_out_of_service: it is not ready and has the taint of a node that was shut down.
        renewal: `renewTime` of the Lease as it is written; "" without a Lease.
    """

    began: float
    ended: float
    is_there: bool
    is_out_of_service: bool = False
    renewal: str = ""


@dataclass(frozen=True, slots=True)
class NodeSeen:
    """What looks at one node have shown, the last one included.

    Attributes:
        last: the last look.
        gone_since: the end of the first look of those that found no Node object, without one
            between them that did; None where the last one found it.
        same_since: the end of the first look that found the Lease as it is now.
        renewed_after: the Lease was renewed at this time or later; None where that was not seen.
        connected_since: the end of the first look that saw a renewal, of those without a break
            after it; None while there is none.
    """

    last: NodeLook
    gone_since: float | None
    same_since: float
    renewed_after: float | None = None
    connected_since: float | None = None

    @classmethod
    def first(cls, look: NodeLook) -> NodeSeen:
        """Return what the first look shows."""
        return cls(look, None if look.is_there else look.ended, look.ended)

    def after(self, look: NodeLook) -> NodeSeen:
        """Return what is known after one look more."""
        gone_since = None
        if not look.is_there:
            gone_since = look.ended if self.gone_since is None else self.gone_since
        is_broken = look.began - self.last.ended > BREAK_SECONDS
        if look.renewal == self.last.renewal:
            is_broken = is_broken or look.began - self.same_since > BREAK_SECONDS
            connected = None if is_broken else self.connected_since
            return replace(self, last=look, gone_since=gone_since, connected_since=connected)
        if not look.renewal:
            return NodeSeen(look, gone_since, look.ended)
        # It was written after the Lease was read before, and that was after the last look began.
        connected = self.connected_since
        if connected is None or is_broken:
            connected = look.ended
        return NodeSeen(look, gone_since, look.ended, self.last.began, connected)

    def fence(self) -> Fence | None:
        """Return why the node runs no pods any more; None where that is not known."""
        look = self.last
        if look.is_there:
            return Fence.OUT_OF_SERVICE if look.is_out_of_service else None
        needed = SILENT_SECONDS if look.renewal else GONE_SECONDS
        is_proven = (
            self.gone_since is not None
            and look.began - self.gone_since >= GONE_SECONDS
            and look.began - self.same_since >= needed
        )
        return Fence.GONE if is_proven else None

    def doubt(self) -> str:
        """Return in words why it is not known that the node has stopped a pod."""
        if not self.last.is_there:
            left = "its Lease is still there" if self.last.renewal else "that is confirmed soon"
            return f"its Node object is gone, and {left}"
        if self.connected_since is None:
            return "it does not renew its Lease, so it is off, or cut off and runs the pod"
        return "it is connected, and has had little time to stop the pod"

    def wait(self) -> float:
        """Return the seconds after which the next look can show that the node is gone.

        A Lease that is still there is looked for soon, then ever more rarely.
        """
        needed = SILENT_SECONDS if self.last.renewal else GONE_SECONDS
        gone_since = self.gone_since if self.gone_since is not None else self.last.ended
        due = max(gone_since + GONE_SECONDS, self.same_since + needed)
        left = max(0.0, due - self.last.ended)
        if not self.last.renewal:
            return left
        return min(left, max(SOON_SECONDS, self.last.ended - gone_since))

    def has_stopped(self, gone_at: float) -> bool:
        """Report whether the node was connected for long enough after a pod was gone.

        A node that was cut off has to be connected for all of that time again: its first renewal
        comes before it has stopped anything.

        Args:
            gone_at: when the API server was known to have no such pod (seconds, monotonic).
        """
        if self.renewed_after is None or self.connected_since is None:
            return False
        return self.renewed_after - max(self.connected_since, gone_at) >= CONNECTED_SECONDS
