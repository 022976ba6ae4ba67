"""What an API server does to an object that is written: metadata it owns, status apart from spec.

Every function gives new objects; none keeps or changes what it is given.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import orjson

from planes.kube.resources import (
    IPBLOCKS,
    MUTATING_HOOKS,
    NADS,
    NAMESPACES,
    PLANES,
    PODS,
    VALIDATING_HOOKS,
    Resource,
)
from planes.model.errors import BadInput, Conflict, JsonObject

WITH_STATUS = (PODS, NAMESPACES, PLANES)
_WITH_GENERATION = (PODS, PLANES, IPBLOCKS, NADS, MUTATING_HOOKS, VALIDATING_HOOKS)
_OWNED = ("uid", "creationTimestamp", "name", "namespace", "generation", "deletionTimestamp")


def copied(obj: Any) -> Any:
    """Return a copy that has been JSON: what is not JSON fails here."""
    return orjson.loads(orjson.dumps(obj))


def is_custom(resource: Resource) -> bool:
    """Report whether the kind comes from a CustomResourceDefinition."""
    return (resource.group.count(".") > 0 and not resource.group.endswith(".k8s.io")) or (
        resource == NADS
    )


def born(resource: Resource, obj: JsonObject, number: int, now: float) -> JsonObject:
    """Return a new object as it is stored, but for its resourceVersion."""
    obj = copied(obj)
    metadata = obj.setdefault("metadata", {})
    if not metadata.get("name"):
        if not metadata.get("generateName"):
            raise BadInput(f"cannot create {resource.kind}: name or generateName is required")
        metadata["name"] = f"{metadata['generateName']}{number:05d}"
    metadata["uid"] = str(uuid.UUID(int=number))
    metadata["creationTimestamp"] = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if resource in _WITH_GENERATION:
        metadata["generation"] = 1
    if resource in WITH_STATUS and is_custom(resource):
        obj.pop("status", None)
    return {"apiVersion": resource.api_version, "kind": resource.kind, **obj}


def written(
    resource: Resource, old: JsonObject, new: JsonObject, subresource: str = ""
) -> JsonObject:
    """Return the object after a write over `old`, but for its resourceVersion."""
    new = copied(new)
    metadata = new.setdefault("metadata", {})
    _check(resource, old["metadata"], metadata)
    for key in _OWNED:
        if key in old["metadata"]:
            metadata[key] = old["metadata"][key]
        else:
            metadata.pop(key, None)
    metadata["resourceVersion"] = old["metadata"]["resourceVersion"]
    if subresource == "status":
        new = {**copied(old), "metadata": metadata, **_only_status(new)}
        if resource != PODS:
            new["metadata"] = copied(old["metadata"])
    elif resource in WITH_STATUS:
        new.pop("status", None)
        new.update(_only_status(copied(old)))
    if resource in _WITH_GENERATION and _meant(resource, old) != _meant(resource, new):
        new["metadata"]["generation"] = old["metadata"].get("generation", 1) + 1
    return {**new, "apiVersion": resource.api_version, "kind": resource.kind}


def shown(obj: JsonObject, is_metadata_only: bool = False) -> JsonObject:
    """Return an object as a get or watch gives it."""
    if is_metadata_only:
        obj = {
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": obj["metadata"],
        }
    result: JsonObject = copied(obj)
    return result


def listed(resource: Resource, obj: JsonObject, is_metadata_only: bool) -> JsonObject:
    """Return an object as a list gives it: of built-in kinds without apiVersion and kind."""
    obj = shown(obj, is_metadata_only)
    if not is_metadata_only and not is_custom(resource):
        del obj["apiVersion"], obj["kind"]
    return obj


def _only_status(obj: JsonObject) -> JsonObject:
    return {"status": obj["status"]} if "status" in obj else {}


def _meant(resource: Resource, obj: JsonObject) -> JsonObject:
    skipped = {"metadata", "apiVersion", "kind"} | (
        {"status"} if resource in WITH_STATUS else set()
    )
    return {key: value for key, value in obj.items() if key not in skipped}


def _check(resource: Resource, old: JsonObject, new: JsonObject) -> None:
    name = old["name"]
    if new.get("name", name) != name:
        raise BadInput(f"cannot write {resource.kind} {name}: the name is another")
    if new.get("uid") and new["uid"] != old["uid"]:
        raise Conflict(f"cannot write {resource.kind} {name}: Precondition failed: UID")
    version = new.get("resourceVersion")
    if version and version != old["resourceVersion"]:
        raise Conflict(f"cannot write {resource.kind} {name}: the object has been modified")
