"""Kubernetes objects as immutable values: pods, namespaces and NADs, with the fields that are used.

`from_object` does not check again what the API server has checked. It raises `BadInput` with the
field's path where a manifest written by hand may be wrong. Labels and annotations are plain
mappings that are never changed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from planes.model.errors import BadInput, field_path

Strings = Mapping[str, str]

POD_INDEX_LABEL = "apps.kubernetes.io/pod-index"
JOB_INDEX_KEY = "batch.kubernetes.io/job-completion-index"
NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"
CONFIG_SOURCE_ANNOTATION = "kubernetes.io/config.source"
CONFIG_MIRROR_ANNOTATION = "kubernetes.io/config.mirror"

_ORDINAL_SUFFIX = re.compile(r"-(0|[1-9][0-9]{0,9})\Z")
_ORDINAL = re.compile(r"(0|[1-9][0-9]{0,9})\Z")
_ENDED = frozenset({"Succeeded", "Failed"})


class NadRef(NamedTuple):
    """The reference of a NAD."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def _object(value: Any, path: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadInput(f"cannot read {path}: it is not an object", remedy="give a mapping")
    return value


def _string(value: Any, path: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadInput(f"cannot read {path}: it is not a string", remedy="put it in quotes")
    return value


def _strings(value: Any, path: str) -> Strings:
    found = _object(value, path)
    for key, text in found.items():
        if not isinstance(text, str):
            raise BadInput(
                f"cannot read {field_path(f'{path}[{key}]')}: it is not a string",
                remedy="put it in quotes",
            )
    return found


def _metadata(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    return _object(manifest.get("metadata"), "metadata")


def _name(meta: Mapping[str, Any]) -> str:
    name = _string(meta.get("name"), "metadata.name")
    if not name:
        raise BadInput("cannot read metadata.name: it is missing", remedy="give the object a name")
    return name


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod, with the fields that decisions need.

    Attributes:
        name: "" while the API server has not generated one from `generate_name`.
        owner_kind: kind of the controlling owner, "" for a bare pod.
        phase: as in `status.phase`, "" where there is no status yet.
        owner_api, owner_uid: API version and UID of the controlling owner, as the pod names them.
        owner_doubt: why that owner, and so the pod's ordinal, is not believed; "" where it is, or
            was not checked.
        has_claims: it names resource claims (`spec.resourceClaims`); False where the spec is not
            known.
    """

    namespace: str
    name: str
    generate_name: str = ""
    uid: str = ""
    labels: Strings = field(default_factory=dict)
    annotations: Strings = field(default_factory=dict)
    node: str = ""
    host_network: bool = False
    owner_kind: str = ""
    owner_name: str = ""
    phase: str = ""
    owner_api: str = ""
    owner_uid: str = ""
    owner_doubt: str = ""
    has_claims: bool = False

    @classmethod
    def from_object(cls, obj: Mapping[str, Any], namespace: str = "") -> Pod:
        """Read a core/v1 Pod; `namespace` is used where the object has none yet.

        Raises:
            BadInput: a field has the wrong type.
        """
        meta = _metadata(obj)
        spec = _object(obj.get("spec"), "spec")
        status = _object(obj.get("status"), "status")
        controller = _controller(meta.get("ownerReferences"))
        return cls(
            namespace=_string(meta.get("namespace"), "metadata.namespace") or namespace,
            name=_string(meta.get("name"), "metadata.name"),
            generate_name=_string(meta.get("generateName"), "metadata.generateName"),
            uid=_string(meta.get("uid"), "metadata.uid"),
            labels=_strings(meta.get("labels"), "metadata.labels"),
            annotations=_strings(meta.get("annotations"), "metadata.annotations"),
            node=_string(spec.get("nodeName"), "spec.nodeName"),
            host_network=spec.get("hostNetwork") is True,
            owner_kind=controller.kind,
            owner_name=controller.name,
            phase=_string(status.get("phase"), "status.phase"),
            owner_api=controller.api_version,
            owner_uid=controller.uid,
            has_claims=bool(spec.get("resourceClaims")),
        )

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @property
    def display(self) -> str:
        """The name for texts: the prefix with `*` while there is no name yet."""
        return self.key if self.name else f"{self.namespace}/{self.generate_name}*"

    @property
    def ordinal(self) -> int | None:
        """The number of the replica, from 0; None where replicas have no number.

        It is the name's suffix where a StatefulSet owns the pod, as no two pods have the same name.
        Else it is the pod-index label, else the completion index of an Indexed Job.
        """
        suffix = _ORDINAL_SUFFIX.search(self.name) if self.owner_kind == "StatefulSet" else None
        if suffix is not None and self.name[: suffix.start()] == self.owner_name:
            return int(suffix[1])
        label = self.labels.get(POD_INDEX_LABEL, "")
        if _ORDINAL.match(label):
            return int(label)
        if suffix is not None:
            return int(suffix[1])
        index = self.annotations.get(JOB_INDEX_KEY) or self.labels.get(JOB_INDEX_KEY, "")
        return int(index) if _ORDINAL.match(index) else None

    @property
    def is_static(self) -> bool:
        """Whether a kubelet runs it from a file; its UID differs from that in the API then."""
        source = self.annotations.get(CONFIG_SOURCE_ANNOTATION, "api")
        return source != "api" or CONFIG_MIRROR_ANNOTATION in self.annotations

    @property
    def is_ended(self) -> bool:
        """Whether its containers will never run again: it has no address then."""
        return self.phase in _ENDED

    @property
    def owners(self) -> tuple[str, ...]:
        """Names by which a reservation may refer to it: pod, controller, Deployment."""
        names = (self.name, self.owner_name, self.deployment)
        return tuple(dict.fromkeys(name for name in names if name))

    @property
    def deployment(self) -> str:
        """The Deployment by its ReplicaSet's name and its own label, "" for none."""
        template_hash = self.labels.get("pod-template-hash", "")
        if self.owner_kind != "ReplicaSet" or not template_hash:
            return ""
        name = self.owner_name.removesuffix(f"-{template_hash}")
        return name if name != self.owner_name else ""


class _Controller(NamedTuple):
    kind: str = ""
    name: str = ""
    api_version: str = ""
    uid: str = ""


def _controller(owners: Any) -> _Controller:
    if owners is None:
        return _Controller()
    if not isinstance(owners, list):
        raise BadInput(
            "cannot read metadata.ownerReferences: it is not a list",
            remedy="write a list of owners, or leave it out",
        )
    for index, owner in enumerate(owners):
        path = f"metadata.ownerReferences[{index}]"
        reference = _object(owner, path)
        if reference.get("controller") is True:
            return _Controller(
                _string(reference.get("kind"), f"{path}.kind"),
                _string(reference.get("name"), f"{path}.name"),
                _string(reference.get("apiVersion"), f"{path}.apiVersion"),
                _string(reference.get("uid"), f"{path}.uid"),
            )
    return _Controller()


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace; its labels join planes."""

    name: str
    labels: Strings = field(default_factory=dict)
    annotations: Strings = field(default_factory=dict)

    @classmethod
    def from_object(cls, obj: Mapping[str, Any]) -> Namespace:
        """Read a core/v1 Namespace; the name label, which Kubernetes always sets, is added.

        Raises:
            BadInput: a field has the wrong type or the name is missing.
        """
        meta = _metadata(obj)
        name = _name(meta)
        labels = {NAMESPACE_NAME_LABEL: name, **_strings(meta.get("labels"), "metadata.labels")}
        return cls(name, labels, _strings(meta.get("annotations"), "metadata.annotations"))


@dataclass(frozen=True)
class Nad:
    """A NetworkAttachmentDefinition (k8s.cni.cncf.io/v1).

    Attributes:
        config: the CNI configuration text; "" means a file of that name on the node.
        plane: name of the plane it was rendered from, None for a hand-written one.
        created: `metadata.creationTimestamp`, "" where it has none.
        fault: why it cannot be used; its `config` is not kept then.
        remedy: the remedy for that.
    """

    namespace: str
    name: str
    config: str = ""
    annotations: Strings = field(default_factory=dict)
    plane: str | None = None
    created: str = ""
    fault: str = ""
    remedy: str = ""

    @classmethod
    def from_object(cls, obj: Mapping[str, Any], namespace: str = "") -> Nad:
        """Read a NAD; `namespace` is used where the manifest has none.

        Raises:
            BadInput: a field has the wrong type or the name is missing.
        """
        meta = _metadata(obj)
        spec = _object(obj.get("spec"), "spec")
        return cls(
            namespace=_string(meta.get("namespace"), "metadata.namespace") or namespace,
            name=_name(meta),
            config=_string(spec.get("config"), "spec.config"),
            annotations=_strings(meta.get("annotations"), "metadata.annotations"),
            created=_string(meta.get("creationTimestamp"), "metadata.creationTimestamp"),
        )

    @cached_property
    def ref(self) -> NadRef:
        """Its reference, as selections have it."""
        return NadRef(self.namespace, self.name)
