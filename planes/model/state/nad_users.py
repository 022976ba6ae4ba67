"""The pods that name a NAD of their own namespace, which block its deletion.

Pods of other namespaces do not count: any user may write any NAD's name into a pod's annotation and
must not block others from deleting their NADs. Detaching a pod needs the journal alone, never the
NAD. The index of one namespace is bounded: beyond that, some of its own NADs can be deleted in use.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from planes.model.bounds import MAX_NAD_USERS
from planes.model.objects import NadRef


class NadUsers:
    """Pods by the NADs they name; the handler of pod events changes it in place.

    Reading is safe in any thread: the result is a copy that is made in one step.
    """

    def __init__(self) -> None:
        self._pods: dict[NadRef, set[str]] = {}
        self._named: dict[str, tuple[NadRef, ...]] = {}
        self._counts: Counter[str] = Counter()

    def put(self, namespace: str, pod: str, named: Iterable[NadRef]) -> None:
        """Replace the NADs that a pod names; none once it is being deleted."""
        own = tuple(dict.fromkeys(ref for ref in named if ref.namespace == namespace))
        key = f"{namespace}/{pod}"
        before = self._named.get(key, ())
        if own == before:
            return
        for ref in before:
            users = self._pods[ref]
            users.discard(pod)
            if not users:
                del self._pods[ref]
        self._counts[namespace] -= len(before)
        if self._counts[namespace] + len(own) > MAX_NAD_USERS:
            own = ()
        self._counts[namespace] += len(own)
        if not self._counts[namespace]:
            del self._counts[namespace]
        for ref in own:
            self._pods.setdefault(ref, set()).add(pod)
        if own:
            self._named[key] = own
        else:
            self._named.pop(key, None)

    def of(self, ref: NadRef) -> tuple[str, ...]:
        """Return the pods of a NAD's namespace that name it, in no order."""
        return tuple(self._pods.get(ref, ()))
