"""Read Namespace objects: of each its labels."""

from __future__ import annotations

from planes.kube.client.skim import Skimmed
from planes.model.errors import BadInput, JsonObject
from planes.model.objects import Namespace


def read_namespace(obj: JsonObject) -> Namespace:
    """Read a namespace's name and labels; its annotations may be large and are not needed.

    Raises:
        BadInput: it was too large to be decoded; the cache keeps its last good value.
    """
    meta = obj["metadata"]
    if isinstance(obj, Skimmed):
        raise BadInput(
            f"cannot read the namespace {meta['name']}: it has {obj.size} bytes",
            remedy="remove labels, or owners of fields from its metadata",
        )
    return Namespace.from_object({"metadata": {"name": meta["name"], "labels": meta.get("labels")}})
