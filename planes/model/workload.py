"""The pods of a workload's manifest, as its controller would create them.

Names follow the controllers' patterns; random characters at their end are derived from the
manifest, so that the same manifest always gives the same pods.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from planes.model.encode import dumps
from planes.model.errors import BadInput, JsonObject
from planes.model.names import shown
from planes.model.objects import JOB_INDEX_KEY, POD_INDEX_LABEL

_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""The characters of Kubernetes' random suffixes: no vowels, none that look alike."""
_SUFFIX_LENGTH = 5
_TEMPLATE_HASH_LENGTH = 10
_MAX_GENERATED_NAME = 63 - _SUFFIX_LENGTH
MAX_PODS = 1000
"""More pods of one manifest are refused: they would show nothing new."""


def pods_of(obj: Mapping[str, Any]) -> tuple[JsonObject, ...]:
    """Return the Pod manifests of an object; none for a kind that creates no pods.

    Reads Pod, Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, CronJob and List kinds.

    Raises:
        BadInput: the manifest is malformed, or asks for more than `MAX_PODS` pods.
    """
    kind = obj.get("kind")
    if isinstance(kind, str) and kind.endswith("List") and isinstance(obj.get("items"), list):
        return tuple(pod for item in _items(obj) for pod in pods_of(item))
    expand = _EXPANSIONS.get(kind) if isinstance(kind, str) else None
    return () if expand is None else tuple(expand(obj))


def is_workload(obj: Mapping[str, Any]) -> bool:
    """Report whether an object is of a kind that creates pods, even if none (replicas: 0)."""
    kind = obj.get("kind")
    return isinstance(kind, str) and kind in _EXPANSIONS


def _items(obj: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for index, item in enumerate(obj["items"]):
        if not isinstance(item, dict):
            raise BadInput(
                f"cannot read items[{index}]: it is not an object",
                remedy="write a manifest there, or remove it",
            )
        yield item


def _object(obj: Mapping[str, Any], key: str, path: str) -> JsonObject:
    value = obj.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadInput(f"cannot read {path}{key}: it is not an object", remedy="give a mapping")
    return value


def _count(spec: Mapping[str, Any], key: str, default: int = 1) -> int:
    value = spec.get(key)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadInput(f"cannot read spec.{key}: it is not a count", remedy="give 0 or more")
    if value > MAX_PODS:
        raise BadInput(
            f"cannot expand spec.{key}: {value} pods are more than {MAX_PODS}",
            remedy="look at a part of them",
        )
    return value


class _Owner:
    """A workload object, with the fields that its pods inherit."""

    def __init__(self, obj: Mapping[str, Any]) -> None:
        meta = _object(obj, "metadata", "")
        name = meta.get("name")
        if not isinstance(name, str) or not name:
            raise BadInput("cannot read metadata.name: it is missing", remedy="give it a name")
        self.kind = str(obj.get("kind"))
        self.api_version = str(obj.get("apiVersion", ""))
        self.name = name
        self.namespace = meta.get("namespace")
        self.uid = str(meta.get("uid", ""))
        self.spec = _object(obj, "spec", "")
        self.template = _object(self.spec, "template", "spec.")
        if not self.template:
            raise BadInput(
                f"cannot read {self.kind} {shown(name)}: spec.template is missing",
                remedy="give a pod template",
            )

    def as_owner(self) -> JsonObject:
        return {
            "apiVersion": self.api_version,
            "kind": self.kind,
            "name": self.name,
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }

    def pod(
        self,
        name: str,
        *,
        generate_name: str = "",
        owner: JsonObject | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        spec: Mapping[str, Any] | None = None,
    ) -> JsonObject:
        """Return one pod of the template."""
        meta = _object(self.template, "metadata", "spec.template.")
        merged: JsonObject = {**meta, "name": name}
        if generate_name:
            merged["generateName"] = generate_name
        if isinstance(self.namespace, str):
            merged["namespace"] = self.namespace
        merged["ownerReferences"] = [owner or self.as_owner()]
        for key, added in (("labels", labels), ("annotations", annotations)):
            present = _object(meta, key, "spec.template.metadata.")
            if present or added:
                merged[key] = {**present, **(added or {})}
        template_spec = _object(self.template, "spec", "spec.template.")
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": merged,
            "spec": {**template_spec, **(spec or {})},
        }


def suffix(*parts: object, length: int = _SUFFIX_LENGTH) -> str:
    """Return a suffix of Kubernetes' alphabet, derived from its arguments."""
    number = int.from_bytes(
        hashlib.sha256("\0".join(map(str, parts)).encode()).digest()[:16], "big"
    )
    found = ""
    for _ in range(length):
        number, index = divmod(number, len(_SUFFIX_ALPHABET))
        found += _SUFFIX_ALPHABET[index]
    return found


def _generated(prefix: str, *parts: object) -> str:
    return prefix[:_MAX_GENERATED_NAME] + suffix(prefix, *parts)


def _pod(obj: Mapping[str, Any]) -> Iterator[JsonObject]:
    meta = _object(obj, "metadata", "")
    prefix = meta.get("generateName")
    if meta.get("name") or not isinstance(prefix, str) or not prefix:
        yield dict(obj)
        return
    yield {**obj, "metadata": {**meta, "name": _generated(prefix)}}


def _deployment(obj: Mapping[str, Any]) -> Iterator[JsonObject]:
    owner = _Owner(obj)
    text = dumps(owner.template, "the pod template").decode()
    template_hash = suffix(text, length=_TEMPLATE_HASH_LENGTH)
    replica_set = f"{owner.name}-{template_hash}"
    reference: JsonObject = {
        **owner.as_owner(),
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": replica_set,
        "uid": "",
    }
    for index in range(_count(owner.spec, "replicas")):
        yield owner.pod(
            _generated(f"{replica_set}-", owner.namespace, index),
            generate_name=f"{replica_set}-",
            owner=reference,
            labels={"pod-template-hash": template_hash},
        )


def _replica_set(obj: Mapping[str, Any]) -> Iterator[JsonObject]:
    owner = _Owner(obj)
    for index in range(_count(owner.spec, "replicas")):
        prefix = f"{owner.name}-"
        yield owner.pod(_generated(prefix, owner.namespace, index), generate_name=prefix)


def _stateful_set(obj: Mapping[str, Any]) -> Iterator[JsonObject]:
    owner = _Owner(obj)
    start = _object(owner.spec, "ordinals", "spec.").get("start", 0)
    first = start if isinstance(start, int) and not isinstance(start, bool) and start > 0 else 0
    for ordinal in range(first, first + _count(owner.spec, "replicas")):
        name = f"{owner.name}-{ordinal}"
        yield owner.pod(
            name,
            generate_name=f"{owner.name}-",
            labels={"statefulset.kubernetes.io/pod-name": name, POD_INDEX_LABEL: str(ordinal)},
            spec={"hostname": name},
        )


def _daemon_set(obj: Mapping[str, Any]) -> Iterator[JsonObject]:
    owner = _Owner(obj)
    prefix = f"{owner.name}-"
    yield owner.pod(_generated(prefix, owner.namespace), generate_name=prefix)


def _job(obj: Mapping[str, Any]) -> Iterator[JsonObject]:
    owner = _Owner(obj)
    is_indexed = owner.spec.get("completionMode") == "Indexed"
    parallelism = _count(owner.spec, "parallelism")
    completions = _count(owner.spec, "completions", parallelism)
    labels = {"batch.kubernetes.io/job-name": owner.name, "job-name": owner.name}
    for index in range(completions if is_indexed else min(parallelism, completions)):
        prefix = f"{owner.name}-{index}-" if is_indexed else f"{owner.name}-"
        place = {JOB_INDEX_KEY: str(index)} if is_indexed else {}
        yield owner.pod(
            _generated(prefix, owner.namespace, index),
            generate_name=prefix,
            labels={**labels, **place},
            annotations=place,
        )


def _cron_job(obj: Mapping[str, Any]) -> Iterator[JsonObject]:
    meta = _object(obj, "metadata", "")
    template = _object(_object(obj, "spec", ""), "jobTemplate", "spec.")
    job_meta = {"namespace": meta.get("namespace"), "name": f"{meta.get('name')}-0"}
    yield from _job(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {key: value for key, value in job_meta.items() if value},
            "spec": template.get("spec"),
        }
    )


_EXPANSIONS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[JsonObject]]] = {
    "Pod": _pod,
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "CronJob": _cron_job,
}
