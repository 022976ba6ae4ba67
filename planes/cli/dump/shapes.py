"""What of an object goes into a dump: each kind has its members listed here, the rest stays away.

Invariant: nothing of a pod's containers but names and states; of configurations that others wrote
only names, types and keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from planes.cli.dump.annotation_shape import networks
from planes.cli.dump.outlines import outline
from planes.model.errors import JsonObject, PlanesError
from planes.model.names import (
    DEFAULT_NETWORK_ANNOTATION,
    JOINED_LABEL,
    NETWORKS_ANNOTATION,
    PLANE_LABEL_PREFIX,
    RENDERED_LABEL,
    RESOURCE_NAME_ANNOTATION,
    STATUS_ANNOTATIONS,
)
from planes.model.spec.plane import parse_stored_plane
from planes.model.spec.render import plane_nad

_OURS: Final = "netplane.io/"
_PODS: Final = frozenset({NETWORKS_ANNOTATION, DEFAULT_NETWORK_ANNOTATION, *STATUS_ANNOTATIONS})
_IDENTITY: Final = (
    *("name", "namespace", "uid", "generation", "resourceVersion"),
    *("creationTimestamp", "deletionTimestamp", "finalizers"),
)
_MOST_CONFIG: Final = 64 << 10


def part(value: Any, *path: str) -> Any:
    """Return what is at a path of members, None where there is nothing."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def members(value: Any, *names: str) -> JsonObject:
    """Return these members of an object, those that it has."""
    found = value if isinstance(value, Mapping) else {}
    return {name: found[name] for name in names if found.get(name) not in (None, [], {}, "")}


def members_of(value: Any) -> list[tuple[str, Any]]:
    """Return the members of an object, none of anything else."""
    return [(str(k), v) for k, v in value.items()] if isinstance(value, Mapping) else []


def listed(value: Any) -> list[Any]:
    """Return a list as it is, an empty one for anything else."""
    return value if isinstance(value, list) else []


def metadata(obj: JsonObject, annotations: Iterable[str] = (), *, labels: bool = False) -> Any:
    """Return who an object is: of annotations and labels ours, and the annotations named."""
    meta = part(obj, "metadata")
    found = members(meta, *_IDENTITY)
    owners = listed(part(meta, "ownerReferences"))
    if owners:
        found["ownerReferences"] = [members(o, "kind", "name", "uid", "controller") for o in owners]
    named = frozenset(annotations)
    kept = {k: v for k, v in _texts(part(meta, "annotations")) if _is_ours(k) or k in named}
    if kept:
        found["annotations"] = kept
    if labels and (ours := {k: v for k, v in _texts(part(meta, "labels")) if _is_ours(k)}):
        found["labels"] = ours
    return found


def whole(obj: JsonObject) -> JsonObject:
    """Return an object of ours: all but the metadata that is not."""
    rest = {k: v for k, v in obj.items() if k not in {"metadata", "apiVersion", "kind"}}
    return {"metadata": metadata(obj, labels=True), **rest}


def of_plane(obj: JsonObject) -> JsonObject:
    """Return a Plane; of the plugins that its administrator wrote only the outline."""
    found = whole(obj)
    plugins = part(found, "spec", "network", "plugins")
    if plugins is not None:
        spec = found["spec"]
        found["spec"] = {**spec, "network": {**spec["network"], "plugins": outline(plugins)}}
    return found


class NadShape:
    """Knows which NADs are as rendered from a plane: they are ours."""

    def __init__(self) -> None:
        self._rendered: dict[tuple[str, str], str] = {}

    def add_plane(self, obj: JsonObject) -> None:
        """Take a Plane into account."""
        try:
            plane = parse_stored_plane(obj)
            nad = plane_nad(plane)
        except PlanesError:
            return
        if nad is not None and not (plane.network and plane.network.plugins):
            self._rendered[nad.namespace, nad.name] = nad.config

    def of_nad(self, obj: JsonObject) -> JsonObject:
        """Return a NAD: its configuration where it is ours to the byte, else the outline of it."""
        meta, config = part(obj, "metadata"), part(obj, "spec", "config")
        found: JsonObject = {"metadata": metadata(obj, (RESOURCE_NAME_ANNOTATION,), labels=True)}
        where = (str(part(meta, "namespace")), str(part(meta, "name")))
        if config is None or not isinstance(config, str):
            return {**found, "configOutline": None}
        found["configCharacters"] = len(config)
        if self._rendered.get(where) == config:
            return {**found, "config": config}
        if part(meta, "labels", RENDERED_LABEL):
            found["differsFromItsPlane"] = True
        return {**found, "configOutline": _outline_of(config)}


def of_namespace(obj: JsonObject) -> JsonObject | None:
    """Return a namespace that joins a plane, None for any other."""
    labels = [key for key, _ in _texts(part(obj, "metadata", "labels"))]
    joins = any(key.startswith(PLANE_LABEL_PREFIX) or key == JOINED_LABEL for key in labels)
    return {"metadata": metadata(obj, labels=True)} if joins else None


def of_pod(obj: JsonObject) -> JsonObject | None:
    """Return a pod that has planes or networks, None for any other."""
    found = metadata(obj, _PODS)
    if "annotations" not in found:
        return None
    texts = found["annotations"]
    found["annotations"] = {k: networks(t) if k in _PODS else t for k, t in texts.items()}
    return {"metadata": found, "node": part(obj, "spec", "nodeName"), **_phase(obj)}


def of_own_pod(obj: JsonObject) -> JsonObject:
    """Return one of Netplane's own pods: images and states of its containers too."""
    states = []
    for key in ("initContainerStatuses", "containerStatuses"):
        for state in listed(part(obj, "status", key)):
            shown = members(state, "name", "image", "imageID", "ready", "restartCount")
            for moment in ("state", "lastState"):
                shown[moment] = {
                    how: members(each, "reason", "exitCode", "signal", "startedAt", "finishedAt")
                    for how, each in members_of(part(state, moment))
                }
            states.append(shown)
    conditions = [members(c, "type", "status", "reason") for c in _conditions(obj)]
    found = {"metadata": metadata(obj), "node": part(obj, "spec", "nodeName"), **_phase(obj)}
    return {**found, "conditions": conditions, "containers": states}


def of_node(obj: JsonObject) -> JsonObject:
    """Return what a node is and runs."""
    facts = members(
        part(obj, "status", "nodeInfo"),
        *("kernelVersion", "osImage", "operatingSystem", "architecture"),
        *("kubeletVersion", "containerRuntimeVersion"),
    )
    conditions = [members(c, "type", "status", "reason") for c in _conditions(obj)]
    taints = [members(t, "key", "effect") for t in listed(part(obj, "spec", "taints"))]
    return {
        "name": part(obj, "metadata", "name"),
        **facts,
        "conditions": conditions,
        "taints": taints,
    }


def of_event(obj: JsonObject) -> JsonObject:
    """Return an event."""
    return {
        **members(obj, "lastTimestamp", "firstTimestamp", "count", "type", "reason"),
        "about": members(part(obj, "involvedObject"), "kind", "namespace", "name", "uid"),
        "host": part(obj, "source", "host"),
        "message": str(obj.get("message") or "")[:2048],
    }


def _phase(obj: JsonObject) -> JsonObject:
    return members(part(obj, "status"), "phase", "reason")


def _conditions(obj: JsonObject) -> list[Any]:
    return listed(part(obj, "status", "conditions"))


def _texts(value: Any) -> list[tuple[str, str]]:
    found = value if isinstance(value, Mapping) else {}
    return [(k, v) for k, v in found.items() if isinstance(k, str) and isinstance(v, str)]


def _is_ours(key: str) -> bool:
    domain = key.partition("/")[0]
    return f"{domain}/" == _OURS or domain.endswith(".netplane.io")


def _outline_of(config: str) -> Any:
    if len(config) > _MOST_CONFIG:
        return "not read: too long"
    try:
        return outline(orjson.loads(config))
    except (orjson.JSONDecodeError, RecursionError):
        return "not JSON" if config.strip() else "empty"
