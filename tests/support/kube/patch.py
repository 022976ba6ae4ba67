"""Merge patch (RFC 7396) and JSON patch (RFC 6902), as an API server applies them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from planes.model.errors import BadInput


def merged(target: Any, patch: Any) -> Any:
    """Apply a merge patch to a copy."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def patched(target: Any, operations: Sequence[Mapping[str, Any]]) -> Any:
    """Apply a JSON patch to a copy; raises BadInput where an operation does not fit."""
    document = copy.deepcopy(target)
    for operation in operations:
        _apply(document, operation)
    return document


def _apply(document: Any, operation: Mapping[str, Any]) -> None:
    kind, path = operation["op"], operation["path"]
    if kind == "test":
        if _read(document, path) != operation["value"]:
            raise BadInput(f"cannot patch: testing {path} failed")
    elif kind == "remove":
        _remove(document, path)
    elif kind == "replace":
        _remove(document, path)
        _add(document, path, operation["value"])
    elif kind == "add":
        _add(document, path, operation["value"])
    elif kind in {"copy", "move"}:
        value = copy.deepcopy(_read(document, operation["from"]))
        if kind == "move":
            _remove(document, operation["from"])
        _add(document, path, value)
    else:
        raise BadInput(f"cannot patch: there is no operation {kind}")


def _tokens(path: str) -> list[str]:
    if not path.startswith("/"):
        raise BadInput(f"cannot patch: {path!r} is not a pointer into the object")
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def _step(container: Any, token: str, path: str) -> Any:
    try:
        return container[int(token)] if isinstance(container, list) else container[token]
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise BadInput(f"cannot patch: there is no {path}") from error


def _read(document: Any, path: str) -> Any:
    for token in _tokens(path):
        document = _step(document, token, path)
    return document


def _parent(document: Any, path: str) -> tuple[Any, str]:
    *way, last = _tokens(path)
    for token in way:
        document = _step(document, token, path)
    return document, last


def _add(document: Any, path: str, value: Any) -> None:
    container, last = _parent(document, path)
    if isinstance(container, list):
        index = len(container) if last == "-" else int(last)
        if index > len(container):
            raise BadInput(f"cannot patch: there is no {path}")
        container.insert(index, copy.deepcopy(value))
    elif isinstance(container, dict):
        container[last] = copy.deepcopy(value)
    else:
        raise BadInput(f"cannot patch: there is no {path}")


def _remove(document: Any, path: str) -> None:
    container, last = _parent(document, path)
    _step(container, last, path)
    del container[int(last) if isinstance(container, list) else last]
