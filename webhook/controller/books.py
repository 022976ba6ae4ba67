"""What the controller has seen of objects, by name; only what it compares is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from planes.kube.skim import Skimmed
from planes.model.errors import BadInput, Finding, JsonObject
from planes.model.names import RENDERED_LABEL
from planes.model.objects import Namespace
from planes.model.spec.plane import Plane, find_plane_faults

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class PlaneSeen:
    """A Plane object, read as far as possible.

    Attributes:
        faults: what is wrong with it; while there is any it is not in force.
        status: as it is written there.
    """

    plane: Plane
    uid: str = ""
    faults: tuple[Finding, ...] = ()
    status: Any = None


@dataclass(frozen=True, slots=True)
class NadSeen:
    """A NAD object; `owners` are its ownerReferences as written."""

    uid: str
    resource_version: str
    config: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    owners: tuple[JsonObject, ...] = ()

    @property
    def rendered_from(self) -> str:
        """The plane it was rendered from, "" for one that is not ours: label and owner say so."""
        plane = self.labels.get(RENDERED_LABEL, "")
        is_owned = any(each.get("kind") == "Plane" for each in self.owners)
        return plane if is_owned else ""


class Book(Generic[V]):
    """Implements `planes.kube.follower.Follower`: name to what was read of the object.

    Args:
        read: gives the value; None: as if the object were not there.
        changed: called with a name, and the value before and now (None: not there).
        complete: called at the end of each listing.
    """

    def __init__(
        self,
        read: Callable[[JsonObject], V | None],
        changed: Callable[[str, V | None, V | None], None],
        complete: Callable[[], None],
    ) -> None:
        self._read = read
        self._changed = changed
        self._complete = complete
        self._known: dict[str, V] = {}
        self._listed: set[str] | None = None
        self.is_synced = False

    def __getitem__(self, name: str) -> V:
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._known))

    def get(self, name: str) -> V | None:
        """Give what was read of an object, None where there is none."""
        return self._known.get(name)

    def values(self) -> tuple[V, ...]:
        """Give everything that was read."""
        return tuple(self._known.values())

    def begin(self) -> None:
        """A whole listing starts."""
        self._listed = set()

    def put(self, obj: JsonObject) -> None:
        """An object is there, or has changed."""
        name = _name(obj)
        if self._listed is not None:
            self._listed.add(name)
        if not isinstance(obj, Skimmed):  # of what is too large to be read the last state holds
            self._set(name, self._read(obj))

    def drop(self, obj: JsonObject) -> None:
        """An object is gone."""
        self._set(_name(obj), None)

    def finish(self) -> None:
        """The listing is complete: what was not in it is gone."""
        listed, self._listed = self._listed or set(), None
        for name in self._known.keys() - listed:
            self._set(name, None)
        self.is_synced = True
        self._complete()

    def _set(self, name: str, value: V | None) -> None:
        before = self._known.get(name)
        if before == value:
            return
        if value is None:
            del self._known[name]
        else:
            self._known[name] = value
        self._changed(name, before, value)


def read_plane(obj: JsonObject) -> PlaneSeen:
    """Read a Plane object."""
    plane, faults = find_plane_faults(obj)
    uid = _metadata(obj).get("uid", "")
    return PlaneSeen(plane, uid, tuple(faults), obj.get("status"))


def read_nad(obj: JsonObject) -> NadSeen:
    """Read a NAD object."""
    metadata = _metadata(obj)
    spec = obj.get("spec")
    config = spec.get("config") if isinstance(spec, dict) else ""
    return NadSeen(
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
        config=config if isinstance(config, str) else "",
        labels=metadata.get("labels") or {},
        annotations=metadata.get("annotations") or {},
        owners=tuple(metadata.get("ownerReferences") or ()),
    )


def read_namespace(obj: JsonObject) -> Namespace | None:
    """Read name and labels of a Namespace; annotations may be large and say nothing here."""
    metadata = _metadata(obj)
    bare = {"name": metadata.get("name"), "labels": metadata.get("labels")}
    try:
        return Namespace.from_object({"metadata": bare})
    except BadInput:
        return None


def _metadata(obj: JsonObject) -> JsonObject:
    found: JsonObject = obj["metadata"]
    return found


def _name(obj: JsonObject) -> str:
    return str(_metadata(obj)["name"])
