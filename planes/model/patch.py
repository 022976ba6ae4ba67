"""JSON Patch (RFC 6902) for annotations: key by key, so that others' annotations stay untouched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from planes.model.errors import BadInput, JsonObject

_ANNOTATIONS = "/metadata/annotations"


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


def _get(present: Any, key: str) -> Any:
    return present.get(key) if isinstance(present, dict) else None


def escape(key: str) -> str:
    """Write a key as a JSON Pointer token (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def unescape(token: str) -> str:
    """Read a JSON Pointer token."""
    return token.replace("~1", "/").replace("~0", "~")


def apply(patch: Sequence[JsonObject], obj: JsonObject) -> JsonObject:
    """Give the object after `add` and `replace` on object members; the original stays as it is.

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
        obj = _set(obj, tokens, operation)
    return obj


def _set(obj: Any, tokens: Sequence[str], operation: JsonObject) -> JsonObject:
    key = tokens[0]
    is_last = len(tokens) == 1
    if not isinstance(obj, dict) or (
        key not in obj and (not is_last or operation["op"] == "replace")
    ):
        raise BadInput(
            f"cannot apply the patch: {operation['path']} does not exist",
            remedy="make the patch for the object it is applied to",
        )
    return {
        **obj,
        key: operation.get("value") if is_last else _set(obj[key], tokens[1:], operation),
    }
