"""Planes and NADs as the controller keeps them: only what it compares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from planes.kube.client.skim import Skimmed
from planes.model.errors import BadInput, Finding, JsonObject
from planes.model.names import IN_USE_FINALIZER, RENDERED_LABEL
from planes.model.spec.plane import find_plane_faults
from planes.model.spec.plane_spec import Plane
from planes.model.spec.unenforced import outdated, split_stored


@dataclass(frozen=True, slots=True)
class PlaneSeen:
    """A Plane object, read as far as possible.

    Attributes:
        faults: what is wrong with it; while there is any it is not in force.
        without_effect: values that earlier versions let in, and that no plane can be written with
            any more.
        status: as it is written in the object.
        resource_version: a patch of its finalizers must match it.
        is_terminating: it was deleted, and finalizers keep it.
    """

    plane: Plane
    uid: str = ""
    faults: tuple[Finding, ...] = ()
    without_effect: tuple[Finding, ...] = ()
    status: Any = None
    resource_version: str = ""
    finalizers: tuple[str, ...] = ()
    is_terminating: bool = False

    @property
    def is_held(self) -> bool:
        """Whether it was deleted and our finalizer keeps it."""
        return self.is_terminating and IN_USE_FINALIZER in self.finalizers


@dataclass(frozen=True, slots=True)
class NadSeen:
    """A NAD object; `owners` are its ownerReferences as written."""

    uid: str
    resource_version: str
    config: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    owners: tuple[JsonObject, ...] = ()

    @property
    def rendered_from(self) -> str:
        """The plane it was rendered from, by label and owner; "" where it is not Netplane's."""
        plane = self.labels.get(RENDERED_LABEL, "")
        is_owned = any(each.get("kind") == "Plane" for each in self.owners)
        return plane if is_owned else ""


def read_plane(obj: JsonObject) -> PlaneSeen:
    """Read a Plane object."""
    plane, findings = find_plane_faults(obj)
    faults, without_effect = split_stored(findings)
    metadata = _metadata(obj)
    return PlaneSeen(
        plane,
        metadata.get("uid", ""),
        tuple(faults),
        (*without_effect, *outdated(obj)),
        obj.get("status"),
        metadata.get("resourceVersion", ""),
        tuple(metadata.get("finalizers") or ()),
        bool(metadata.get("deletionTimestamp")),
    )


def read_nad(obj: JsonObject) -> NadSeen:
    """Read a NAD object.

    Raises:
        BadInput: it was too large to be decoded.
    """
    if isinstance(obj, Skimmed):
        raise BadInput(f"cannot read the NAD: it has {obj.size} bytes")
    metadata = _metadata(obj)
    spec = obj.get("spec")
    config = spec.get("config") if isinstance(spec, dict) else ""
    return NadSeen(
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
        config=config if isinstance(config, str) else "",
        labels=metadata.get("labels") or {},
        annotations=metadata.get("annotations") or {},
        owners=tuple(metadata.get("ownerReferences") or ()),
    )


def _metadata(obj: JsonObject) -> JsonObject:
    found: JsonObject = obj["metadata"]
    return found
