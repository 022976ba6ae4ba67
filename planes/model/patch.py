"""JSON Patches (RFC 6902) of a decision: annotations, and requests for devices.

Members are patched one by one, so that those of others are not overwritten; a member that has its
value already needs no operation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from planes.model.errors import BadInput, JsonObject

_ANNOTATIONS = "/metadata/annotations"
_RESOURCES = "/spec/containers/0/resources"
_KINDS = ("requests", "limits")
"""Kubernetes requires both, with equal amounts, for extended resources."""

_ENOUGH = 2**31


def pod_patch(
    pod_obj: JsonObject, annotations: Mapping[str, str], resources: Mapping[str, int]
) -> list[JsonObject]:
    """Return the operations that apply a decision to a pod."""
    patch = annotation_patch(pod_obj, annotations)
    return [*patch, *resource_patch(pod_obj, resources)] if resources else patch


def annotation_patch(pod_obj: JsonObject, annotations: Mapping[str, str]) -> list[JsonObject]:
    """Return the operations that set annotations; unchanged values need none.

    The annotations map is created only where it is absent: writing the whole map would drop keys
    that another webhook has added meanwhile.
    """
    metadata = pod_obj.get("metadata")
    present = metadata.get("annotations") if isinstance(metadata, dict) else None
    wanted = {key: text for key, text in annotations.items() if _get(present, key) != text}
    if not wanted:
        return []
    patch: list[JsonObject] = []
    if not isinstance(metadata, dict):
        patch.append({"op": "add", "path": "/metadata", "value": {}})
    if not isinstance(present, dict):
        return [*patch, {"op": "add", "path": _ANNOTATIONS, "value": wanted}]
    return [
        {
            "op": "replace" if key in present else "add",
            "path": f"{_ANNOTATIONS}/{escape(key)}",
            "value": text,
        }
        for key, text in wanted.items()
    ]


def removal_patch(pod_obj: JsonObject, keys: Sequence[str]) -> list[JsonObject]:
    """Return the operations that remove annotations; absent keys need none."""
    metadata = pod_obj.get("metadata")
    present = metadata.get("annotations") if isinstance(metadata, dict) else None
    return [
        {"op": "remove", "path": f"{_ANNOTATIONS}/{escape(key)}"}
        for key in keys
        if isinstance(present, dict) and key in present
    ]


def resource_patch(pod_obj: JsonObject, resources: Mapping[str, int]) -> list[JsonObject]:
    """Return the operations that make the first container request the devices of attachments.

    It may be any container, as the kubelet counts for the pod. Amounts are set, not added, and left
    where a container requests as many already, so that a second call changes nothing. The API
    server refuses a pod without containers.
    """
    containers = _containers(pod_obj) if resources else []
    missing = {
        name: count
        for name, count in resources.items()
        if containers and not any(_asked(each, name) >= count for each in containers)
    }
    if not missing:
        return []
    own = containers[0].get("resources")
    if not isinstance(own, dict):
        amounts = {name: str(count) for name, count in missing.items()}
        return [{"op": "add", "path": _RESOURCES, "value": dict.fromkeys(_KINDS, amounts)}]
    patch: list[JsonObject] = []
    for kind in _KINDS:
        present = own.get(kind)
        if not isinstance(present, dict):
            amounts = {name: str(count) for name, count in missing.items()}
            patch.append({"op": "add", "path": f"{_RESOURCES}/{kind}", "value": amounts})
            continue
        patch += [
            {
                "op": "replace" if name in present else "add",
                "path": f"{_RESOURCES}/{kind}/{escape(name)}",
                "value": str(count),
            }
            for name, count in missing.items()
        ]
    return patch


def _containers(pod_obj: JsonObject) -> list[JsonObject]:
    spec = pod_obj.get("spec")
    containers = spec.get("containers") if isinstance(spec, dict) else None
    if not isinstance(containers, list) or not all(isinstance(each, dict) for each in containers):
        return []
    return containers


def _asked(container: JsonObject, name: str) -> int:
    """Return how many of a resource a container requests; limits count as requests."""
    resources = container.get("resources")
    kinds = resources if isinstance(resources, dict) else {}
    return max(_amount(kinds.get(kind), name) for kind in _KINDS)


def _amount(amounts: Any, name: str) -> int:
    amount = amounts.get(name) if isinstance(amounts, dict) else None
    if isinstance(amount, int) and not isinstance(amount, bool):
        return amount
    if not isinstance(amount, str):
        return 0
    # devices are whole numbers: the API server checks other spellings of a quantity
    return int(amount) if amount.isascii() and amount.isdigit() and len(amount) < 10 else _ENOUGH


def _get(present: Any, key: str) -> Any:
    return present.get(key) if isinstance(present, dict) else None


def escape(key: str) -> str:
    """Return a key as a JSON Pointer token (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def unescape(token: str) -> str:
    """Return the key of a JSON Pointer token."""
    return token.replace("~1", "/").replace("~0", "~")


def apply(patch: Sequence[JsonObject], obj: JsonObject) -> JsonObject:
    """Return the object after `add` and `replace` of object members, and `remove` of annotations.

    The original is not changed. A path may lead through lists.

    Raises:
        BadInput: an operation is of another kind, or its path does not exist.
    """
    for operation in patch:
        path = str(operation.get("path", ""))
        tokens = [unescape(token) for token in path.split("/")[1:]]
        is_removal = operation.get("op") == "remove" and path.startswith(f"{_ANNOTATIONS}/")
        if not (is_removal or operation.get("op") in {"add", "replace"}) or not tokens:
            raise BadInput(
                f"cannot apply patch operation {operation.get('op')} at {path}",
                remedy="use add and replace of object members, and remove of annotations",
            )
        patched: JsonObject = _set(obj, tokens, operation)
        obj = patched
    return obj


def _set(parent: Any, tokens: Sequence[str], operation: JsonObject) -> Any:
    key: Any = tokens[0]
    is_last = len(tokens) == 1
    if isinstance(parent, list) and not is_last:
        is_there = key.isascii() and key.isdigit() and int(key) < len(parent)
        key = int(key) if is_there else key
    else:
        is_there = isinstance(parent, dict) and (
            key in parent or (is_last and operation["op"] == "add")
        )
    if not is_there:
        raise BadInput(
            f"cannot apply the patch: {operation['path']} does not exist",
            remedy="make the patch for the object it is applied to",
        )
    if is_last and operation["op"] == "remove":
        return {name: value for name, value in parent.items() if name != key}
    value = operation.get("value") if is_last else _set(parent[key], tokens[1:], operation)
    if isinstance(parent, list):
        return [*parent[:key], value, *parent[key + 1 :]]
    return {**parent, key: value}
