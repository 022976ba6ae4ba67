"""Caches of pods: a node keeps its own pods, admission keeps only what all pods claim.

Invariant: our own writes are seen from the moment the API server confirmed them, also while the
watch still has older states. Pods that have ended or use the host's network are not listed at all
(see `POD_FIELDS`), so the metadata of the others is enough.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from planes.kube.client.skim import Skimmed
from planes.kube.informers.cache import ObjectKey, key_of, version_of
from planes.kube.informers.handler import EventHandler
from planes.model.annotations.near_keys import unknown_keys
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

# Every API server that has our kind of admission policies has these field labels.
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
"""Annotations that decisions depend on; others may be large."""
MOST_CHARACTERS: Final = 64 << 10
"""Labels and kept annotations of a pod; one with more is read when it is attached."""

ClaimSink = Callable[[str, PodClaims | None], None]
"""Called with what a pod, `namespace/name`, claims now; None for nothing."""


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


class PodView(EventHandler, Protocol):
    """Keeps pods, or of each what it claims."""

    def __len__(self) -> int:
        """Count the pods that are kept."""
        ...

    def seen(self, namespace: str, name: str) -> SeenPod | None:
        """Return a pod as last seen; None also where pods are not kept."""
        ...

    def pods(self) -> tuple[Pod, ...]:
        """Return all that are kept."""
        ...

    def naming(self, ref: NadRef) -> tuple[str, ...]:
        """Name the pods of a NAD's namespace that ask for it; none where they are not kept."""
        ...

    def note(self, obj: JsonObject) -> None:
        """Take a pod as it is after a write of ours; the watch has it later."""
        ...


class NodePods:
    """The pods of one node; implements `PodView`.

    Args:
        node: the node's name.
        on_claims: called whenever the claims of a pod may have changed.
    """

    def __init__(self, node: str, on_claims: ClaimSink) -> None:
        self._node = node
        self._on_claims = on_claims
        self._pods: dict[ObjectKey, SeenPod] = {}
        self._own: dict[ObjectKey, SeenPod] = {}
        self._written: dict[ObjectKey, tuple[str, str]] = {}  # UID and network-status
        self._claimed: dict[ObjectKey, tuple[Pod, bool]] = {}  # what claims were last made of
        self._listed: set[ObjectKey] | None = None
        self._own_before: frozenset[ObjectKey] = frozenset()

    def __len__(self) -> int:
        return len(self._pods)

    def seen(self, namespace: str, name: str) -> SeenPod | None:
        """Return a pod as last seen."""
        return self._pods.get(ObjectKey(namespace, name))

    def pods(self) -> tuple[Pod, ...]:
        """Return the node's pods."""
        return tuple(seen.pod for seen in self._pods.values())

    def naming(self, ref: NadRef) -> tuple[str, ...]:
        """Return nothing: only admission decides whether a NAD may be deleted."""
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
            self._forget(key)  # no decision by a part of it: it is read live
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
        if len(self._own) >= _MOST_OWN_WRITES:  # of pods that were gone before the watch had them
            del self._own[next(iter(self._own))]
        self._own[key] = written
        if known is not None and known.pod.uid == written.pod.uid:
            self._keep(key, written)

    def _read(self, obj: JsonObject) -> SeenPod:
        meta: dict[str, Any] = obj["metadata"]
        pod = Pod.from_object({"metadata": meta})
        kept = {key: text for key, text in pod.annotations.items() if key in _KEPT}
        # Of keys that may be misspelt only the names are kept, for a warning.
        kept.update((key, "") for key in unknown_keys(pod.annotations))
        pod = replace(pod, annotations=kept, node=self._node)
        return SeenPod(pod, version_of(obj), bool(meta.get("deletionTimestamp")))

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
        if self._claimed.get(key) == (seen.pod, is_believed):
            return  # a change of its status, as most are
        self._claimed[key] = seen.pod, is_believed
        self._on_claims(seen.pod.key, claims_of(seen.pod, is_believed=is_believed))

    def _remember(self, key: ObjectKey, written: SeenPod) -> None:
        """Remember a network-status that we wrote: any other may be from another writer."""
        if len(self._written) >= _MOST_OWN_WRITES:
            del self._written[next(iter(self._written))]
        self._written[key] = _status(written)

    def _forget(self, key: ObjectKey) -> None:
        self._written.pop(key, None)
        self._claimed.pop(key, None)
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
        """Return nothing: pods are not kept."""
        return None

    def pods(self) -> tuple[Pod, ...]:
        """Return nothing: only what they claim is kept."""
        return ()

    def naming(self, ref: NadRef) -> tuple[str, ...]:
        """Name the pods of a NAD's namespace that ask for it, without those being deleted."""
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
        """The listing is complete: a pod that was not in it claims nothing."""
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
