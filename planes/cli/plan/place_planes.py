"""Planes and the labels of namespaces, as they are on a cluster or in manifests."""

from __future__ import annotations

from dataclasses import dataclass, field

from planes.cli.reading.place import Place
from planes.kube.api import Query
from planes.kube.resources import NAMESPACES, PLANES
from planes.model.errors import Finding, JsonObject
from planes.model.names import PLANE_LABEL_PREFIX
from planes.model.plan.plan_text import text_faults
from planes.model.plan.writing import written_part


@dataclass(slots=True)
class PlacePlanes:
    """What a place has.

    Attributes:
        planes: objects, by name.
        labels: of namespaces, by name; labels of planes only.
        left_out: planes that hold what no plan may have, with the first fault.
    """

    title: str
    planes: dict[str, JsonObject] = field(default_factory=dict)
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    left_out: dict[str, Finding] = field(default_factory=dict)


async def read_place(place: Place) -> PlacePlanes:
    """Read planes and namespaces.

    Raises:
        PlanesError: the API server cannot be read.
    """
    found = PlacePlanes(place.title)
    async for page in place.api.pages(Query(PLANES)):
        for obj in page.items:
            name = str(obj["metadata"]["name"])
            faults = text_faults(written_part(obj), [])
            if faults:
                found.left_out[name] = faults[0]
            else:
                found.planes[name] = obj
    # Labels are all that is needed of thousands of namespaces.
    async for page in place.api.pages(Query(NAMESPACES, is_metadata_only=True)):
        for obj in page.items:
            labels = obj["metadata"].get("labels") or {}
            found.labels[str(obj["metadata"]["name"])] = {
                key: value for key, value in labels.items() if key.startswith(PLANE_LABEL_PREFIX)
            }
    return found
