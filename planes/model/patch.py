"""JSON Patch (RFC 6902) for what a decision changes: annotations, and requests for devices.

Member by member, so that what others wrote stays untouched; what is there already needs no
operation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from planes.model.errors import BadInput, JsonObject

_ANNOTATIONS = "/metadata/annotations"
_RESOURCES = "/spec/containers/0/resources"
_KINDS = ("requests", "limits")
"""Kubernetes wants both, and alike, for resources that are not its own."""

_ENOUGH = 2**31


def pod_patch(
    pod_obj: JsonObject, annotations: Mapping[str, str], resources: Mapping[str, int]
) -> list[JsonObject]:
    """Give the operations that carry a decision out on a pod."""
    patch = annotation_patch(pod_obj, annotations)
    return [*patch, *resource_patch(pod_obj, resources)] if resources else patch


def annotation_patch(pod_obj: JsonObject, annotations: Mapping[str, str]) -> list[JsonObject]:
    """Give the operations that set annotations; values that are there already need none.

    The annotations map is created only where it is absent: writing it whole would drop what
    another webhook added in the meantime.
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


def resource_patch(pod_obj: JsonObject, resources: Mapping[str, int]) -> list[JsonObject]:
    """Give the operations that make the first container ask for what attachments need.

    Which container it is makes no difference to a network: the kubelet counts for the pod.
    Amounts are set, not added, and left alone where any container asks for as many already: a
    second run finds nothing to do. A pod without containers is the API server's to refuse.
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
    """Give what a container asks for; limits stand in for requests, as Kubernetes has it."""
    resources = container.get("resources")
    kinds = resources if isinstance(resources, dict) else {}
    return max(_amount(kinds.get(kind), name) for kind in _KINDS)


def _amount(amounts: Any, name: str) -> int:
    amount = amounts.get(name) if isinstance(amounts, dict) else None
    if isinstance(amount, int) and not isinstance(amount, bool):
        return amount
    if not isinstance(amount, str):
        return 0
    # devices are whole: another spelling of a quantity is the API server's to judge
    return int(amount) if amount.isascii() and amount.isdigit() and len(amount) < 10 else _ENOUGH


def _get(present: Any, key: str) -> Any:
    return present.get(key) if isinstance(present, dict) else None


def escape(key: str) -> str:
    """Write a key as a JSON Pointer token (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def unescape(token: str) -> str:
    """Read a JSON Pointer token."""
    return token.replace("~1", "/").replace("~0", "~")


def apply(patch: Sequence[JsonObject], obj: JsonObject) -> JsonObject:
    """Give the object after `add` and `replace` of object members; the original stays as it is.

    A path may lead through lists.


    Raises:
        BadInput: an operation is of another kind, or its place does not exist.
    """
    for operation in patch:
        tokens = [unescape(token) for token in str(operation.get("path", "")).split("/")[1:]]
        if operation.get("op") not in {"add", "replace"} or not tokens:
            raise BadInput(
                f"cannot apply patch operation {operation.get('op')} at {operation.get('path')}",
                remedy="use add and replace of object members",
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
    value = operation.get("value") if is_last else _set(parent[key], tokens[1:], operation)
    if isinstance(parent, list):
        return [*parent[:key], value, *parent[key + 1 :]]
    return {**parent, key: value}
