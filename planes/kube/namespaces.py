"""Namespaces as they are kept of a watch."""

from __future__ import annotations

from planes.kube.skim import Skimmed
from planes.model.errors import BadInput, JsonObject
from planes.model.objects import Namespace


def read_namespace(obj: JsonObject) -> Namespace:
    """Keep a namespace's labels alone: its annotations may be large, and say nothing of planes.

    Raises:
        BadInput: it was too large to be read: what it said before holds.
    """
    meta = obj["metadata"]
    if isinstance(obj, Skimmed):
        raise BadInput(
            f"cannot read the namespace {meta['name']}: it has {obj.size} bytes",
            remedy="remove labels, or owners of fields from its metadata",
        )
    return Namespace.from_object({"metadata": {"name": meta["name"], "labels": meta.get("labels")}})
