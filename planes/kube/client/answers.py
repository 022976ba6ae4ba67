"""Check that an answer is that of an API server: a proxy, or something else, may answer instead."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from planes.kube.client.status_errors import NO_SERVER, Asked
from planes.model.errors import JsonObject, Unavailable


def decoded(asked: Asked, data: bytes) -> JsonObject:
    """Return the object of an answer.

    Raises:
        Unavailable: it is none.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise no_answer(asked, "JSON") from error
    if not isinstance(value, dict):
        raise no_answer(asked, "an object")
    return value


def check_named(asked: Asked, obj: JsonObject) -> None:
    """Raise `Unavailable` where an object is not the one of a name that was asked for."""
    if not _is_object(obj) or obj["metadata"]["name"] != asked.name:
        raise no_answer(asked, "that object")


def check_listed(asked: Asked, items: Iterable[object]) -> None:
    """Raise `Unavailable` where something in a list is no object with a name that can be shown."""
    if not all(map(_is_object, items)):
        raise no_answer(asked, "a list of objects")


def no_answer(asked: Asked, what: str) -> Unavailable:
    """Return the error for an answer that is not `what` was asked for."""
    return Unavailable(f"cannot {asked}: the answer is not {what}", remedy=NO_SERVER)


def _is_object(value: Any) -> bool:
    meta = value.get("metadata") if isinstance(value, dict) else None
    if not isinstance(meta, dict):
        return False
    name, namespace = meta.get("name"), meta.get("namespace", "")
    return (
        _is_name(name)
        and name != ""
        and _is_name(namespace)
        and all(isinstance(meta.get(key) or {}, dict) for key in ("labels", "annotations"))
    )


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()
