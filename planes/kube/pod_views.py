"""What is kept of pods: whole ones on their node, only what they claim for admission.

Invariant: what we wrote ourselves is seen from the moment the API server confirmed it, also while
the watch still tells of older states. Pods that have ended or use the host's network are not asked
for in the first place (see `POD_FIELDS`), so the metadata says all that is needed of the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from planes.kube.follower import Follower
from planes.kube.known import ObjectKey, key_of
from planes.kube.skim import Skimmed
from planes.model.errors import JsonObject
from planes.model.names import (
    DEFAULT_NETWORK_ANNOTATION,
    INJECTED_ANNOTATION,
    NETWORKS_ANNOTATION,
    REVIEWED_ANNOTATION,
    STATIC_IPS_ANNOTATION,
    STATUS_ANNOTATION,
)
from planes.model.objects import (
    CONFIG_MIRROR_ANNOTATION,
    CONFIG_SOURCE_ANNOTATION,
    JOB_INDEX_KEY,
    NadRef,
    Pod,
)
from planes.model.state.claims import PodClaims, claims_of
from planes.model.state.nad_users import NadUsers

# All of them are labels that every API server knows which knows our admission policies.
POD_FIELDS: Final = "status.phase!=Succeeded,status.phase!=Failed,spec.hostNetwork=false"

_MOST_OWN_WRITES: Final = 1024
_KEPT: Final = frozenset(
    {
        NETWORKS_ANNOTATION,
        STATUS_ANNOTATION,
        STATIC_IPS_ANNOTATION,
        DEFAULT_NETWORK_ANNOTATION,
        INJECTED_ANNOTATION,
        REVIEWED_ANNOTATION,
        JOB_INDEX_KEY,
        CONFIG_SOURCE_ANNOTATION,
        CONFIG_MIRROR_ANNOTATION,
    }
)
"""Annotations that anything is decided by; others' may be large."""
MOST_CHARACTERS: Final = 64 << 10
"""Labels and kept annotations of a pod; one with more is read when it is attached."""

ClaimSink = Callable[[str, PodClaims | None], None]
"""Told what a pod, `namespace/name`, claims from now on; None: nothing."""


@dataclass(frozen=True, slots=True)
class SeenPod:
    """A pod as last seen.

    Attributes:
        version: its resourceVersion as a number, 0 where it is none.
        is_leaving: it is being deleted.
    """

    pod: Pod
    version: int
    is_leaving: bool


class PodView(Follower, Protocol):
    """Follows pods and tells what they claim."""

    def __len__(self) -> int:
        """Count the pods that are kept."""
        ...

    def seen(self, namespace: str, name: str) -> SeenPod | None:
        """Give a pod as last seen; None also where pods are not kept."""
        ...

    def naming(self, ref: NadRef) -> tuple[str, ...]:
        """Name the pods of a NAD's namespace that ask for it; none where nobody has to know."""
        ...

    def note(self, obj: JsonObject) -> None:
        """Take a pod as it is after a write of ours; the watch tells of it later."""
        ...


class NodePods:
    """The pods of one node, whole; implements `PodView`.

    Args:
        node: whose pods they are.
        on_claims: told what a pod claims whenever it may have changed.
    """

    def __init__(self, node: str, on_claims: ClaimSink) -> None:
        self._node = node
        self._on_claims = on_claims
        self._pods: dict[ObjectKey, SeenPod] = {}
        self._own: dict[ObjectKey, SeenPod] = {}
        self._written: dict[ObjectKey, tuple[str, str]] = {}  # UID and network-status
        self._listed: set[ObjectKey] | None = None
        self._own_before: frozenset[ObjectKey] = frozenset()

    def __len__(self) -> int:
        return len(self._pods)

    def seen(self, namespace: str, name: str) -> SeenPod | None:
        """Give a pod as last seen."""
        return self._pods.get(ObjectKey(namespace, name))

    def naming(self, ref: NadRef) -> tuple[str, ...]:
        """Give nothing: a node is not asked whether a NAD may go."""
        return ()

    def begin(self) -> None:
        """A whole listing starts."""
        self._listed = set()
        self._own_before = frozenset(self._own)

    def put(self, obj: JsonObject) -> None:
        """A pod is there, or has changed."""
        key = key_of(obj)
        seen = None if isinstance(obj, Skimmed) else self._read(obj)
        if seen is None or _characters(seen.pod) > MOST_CHARACTERS:
            self._forget(key)  # not to be judged by a part of it: it is read live
            return
        if self._listed is not None:
            self._listed.add(key)
        self._keep(key, self._with_own(key, seen))

    def drop(self, obj: JsonObject) -> None:
        """A pod is gone, has ended or has left the node."""
        key = key_of(obj)
        own = self._own.get(key)
        if own is not None and own.pod.uid == obj["metadata"].get("uid"):
            del self._own[key]
        self._forget(key)

    def finish(self) -> None:
        """The listing is complete: what was not in it is gone."""
        listed, self._listed = self._listed or set(), None
        for key in [key for key in self._pods if key not in listed]:
            self._forget(key)
        for key in self._own_before - listed:
            self._own.pop(key, None)

    def note(self, obj: JsonObject) -> None:
        """Take a pod as it is after a write of ours."""
        key, written = key_of(obj), self._read(obj)
        self._remember(key, written)
        known = self._pods.get(key)
        if known is not None and known.version >= written.version:
            return
        if len(self._own) >= _MOST_OWN_WRITES:  # of pods that were gone before we heard of them
            del self._own[next(iter(self._own))]
        self._own[key] = written
        if known is not None and known.pod.uid == written.pod.uid:
            self._keep(key, written)

    def _read(self, obj: JsonObject) -> SeenPod:
        meta: dict[str, Any] = obj["metadata"]
        pod = Pod.from_object({"metadata": meta})
        kept = {key: text for key, text in pod.annotations.items() if key in _KEPT}
        pod = replace(pod, annotations=kept)
        version = str(meta.get("resourceVersion", ""))
        return SeenPod(
            replace(pod, node=self._node),
            int(version) if version.isdecimal() else 0,
            bool(meta.get("deletionTimestamp")),
        )

    def _with_own(self, key: ObjectKey, seen: SeenPod) -> SeenPod:
        own = self._own.get(key)
        if own is None:
            return seen
        if seen.version >= own.version:
            del self._own[key]
            return seen
        return own if own.pod.uid == seen.pod.uid else seen

    def _keep(self, key: ObjectKey, seen: SeenPod) -> None:
        self._pods[key] = seen
        is_believed = self._written.get(key) == _status(seen)
        self._on_claims(seen.pod.key, claims_of(seen.pod, is_believed=is_believed))

    def _remember(self, key: ObjectKey, written: SeenPod) -> None:
        """Remember a network-status that we wrote: of any other nobody knows who did."""
        if len(self._written) >= _MOST_OWN_WRITES:
            del self._written[next(iter(self._written))]
        self._written[key] = _status(written)

    def _forget(self, key: ObjectKey) -> None:
        self._written.pop(key, None)
        if self._pods.pop(key, None) is not None:
            self._on_claims(str(key), None)


def _characters(pod: Pod) -> int:
    texts = (*pod.labels.items(), *pod.annotations.items())
    return sum(len(key) + len(text) for key, text in texts)


def _status(seen: SeenPod) -> tuple[str, str]:
    return seen.pod.uid, seen.pod.annotations.get(STATUS_ANNOTATION, "")


class ClaimingPods:
    """All pods of the cluster, of which only claims and NADs are kept; implements `PodView`."""

    def __init__(self, on_claims: ClaimSink) -> None:
        self._on_claims = on_claims
        self._users = NadUsers()
        self._claiming: set[str] = set()
        self._listed: set[str] | None = None

    def __len__(self) -> int:
        return len(self._claiming)

    def seen(self, namespace: str, name: str) -> SeenPod | None:
        """Give nothing: pods are not kept."""
        return None

    def naming(self, ref: NadRef) -> tuple[str, ...]:
        """Name the pods of a NAD's namespace that ask for it; those that go do not."""
        return self._users.of(ref)

    def begin(self) -> None:
        """A whole listing starts."""
        self._listed = set()

    def put(self, obj: JsonObject) -> None:
        """A pod is there, or has changed."""
        key = str(key_of(obj))
        claims = _claims(obj["metadata"])
        is_going = claims is None or obj["metadata"].get("deletionTimestamp")
        self._users.put(*key_of(obj), () if is_going or claims is None else claims.networks)
        if claims is None:
            self._forget(key)
            return
        self._claiming.add(key)
        if self._listed is not None:
            self._listed.add(key)
        self._on_claims(key, claims)

    def drop(self, obj: JsonObject) -> None:
        """A pod is gone, or has ended."""
        self._forget(str(key_of(obj)))

    def finish(self) -> None:
        """The listing is complete: who was not in it claims nothing."""
        listed, self._listed = self._listed or set(), None
        for key in self._claiming - listed:
            self._forget(key)

    def note(self, obj: JsonObject) -> None:
        """Take a pod as it is after a write of ours."""
        self.put(obj)

    def _forget(self, key: str) -> None:
        if key in self._claiming:
            self._claiming.remove(key)
            self._on_claims(key, None)
            namespace, _, name = key.partition("/")
            self._users.put(namespace, name, ())


def _claims(meta: dict[str, Any]) -> PodClaims | None:
    annotations = meta.get("annotations") or {}
    found = {
        key: annotations[key]
        for key in (NETWORKS_ANNOTATION, DEFAULT_NETWORK_ANNOTATION, STATUS_ANNOTATION)
        if annotations.get(key)
    }
    if not found:
        return None
    return claims_of(Pod(meta.get("namespace", ""), meta["name"], annotations=found)) or None
