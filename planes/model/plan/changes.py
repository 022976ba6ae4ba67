"""What applying a plan changes: fields of planes, and labels of namespaces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from planes.model.errors import JsonObject
from planes.model.names import PLANE_LABEL_PREFIX
from planes.model.plan.effective import effective_spec, plane_value
from planes.model.plan.network import PlannedNetwork, planned_labels
from planes.model.plan.plan_text import joined
from planes.model.plan.words import NAMESPACES
from planes.model.plan.writing import joined_namespaces

_ABSENT: Final[Any] = object()
_METADATA: Final = ("labels", "annotations")


@dataclass(frozen=True, slots=True)
class PlannedField:
    """One field that changes; `old` or `new` is None where it is not there."""

    path: str
    old: Any = None
    new: Any = None

    @property
    def sign(self) -> str:
        """`+` for a new field, `-` for one that the plan does not have, `~` for another value."""
        if self.old is None:
            return "+"
        return "-" if self.new is None else "~"

    def as_json(self) -> JsonObject:
        """Return it as it is printed."""
        return {"path": self.path, "old": self.old, "new": self.new}


@dataclass(frozen=True, slots=True)
class PlannedObject:
    """An object that changes.

    Attributes:
        is_new: it is not there yet.
    """

    kind: str
    name: str
    is_new: bool
    fields: tuple[PlannedField, ...]

    def as_json(self) -> JsonObject:
        """Return it as it is printed."""
        fields = [each.as_json() for each in self.fields]
        return {"kind": self.kind, "name": self.name, "new": self.is_new, "fields": fields}


def plane_changes(
    networks: Iterable[PlannedNetwork], planes: Mapping[str, JsonObject]
) -> Iterator[PlannedObject]:
    """Yield the planes that a plan makes or changes.

    Args:
        networks: of the plan, without faults.
        planes: Plane objects that are there, by name.
    """
    for network in networks:
        known = planes.get(network.name)
        old = {} if known is None else known
        fields = [*_metadata_changes(network.obj, old)]
        if known is None or plane_value(known) != plane_value(network.obj):
            new_spec, old_spec = effective_spec(network.obj), effective_spec(old)
            fields += _differences("spec", old_spec, new_spec)
        if fields or known is None:
            yield PlannedObject("Plane", network.name, known is None, tuple(fields))


def namespace_changes(
    networks: list[PlannedNetwork], labels: Mapping[str, Mapping[str, str]]
) -> Iterator[PlannedObject]:
    """Yield the namespaces whose labels of planes a plan changes.

    A network that says nothing of namespaces changes none of them.

    Args:
        networks: of the plan.
        labels: of namespaces that are there, by name.
    """
    wanted = {name: dict(own) for name, own in planned_labels(networks).items()}
    told = {network.name for network in networks if network.words.get(NAMESPACES) is not None}
    present: dict[str, dict[str, str]] = {}
    for plane, namespaces in joined_namespaces(labels).items():
        for namespace, value in namespaces.items() if plane in told else ():
            present.setdefault(namespace, {})[PLANE_LABEL_PREFIX + plane] = value
    for name in sorted(wanted.keys() | present.keys()):
        old, new = present.get(name, {}), wanted.get(name, {})
        fields = tuple(
            PlannedField(f"metadata.labels[{key}]", old.get(key), new.get(key))
            for key in sorted(old.keys() | new.keys())
            if old.get(key) != new.get(key)
        )
        if fields:
            yield PlannedObject("Namespace", name, name not in labels, fields)


def _metadata_changes(new: JsonObject, old: JsonObject) -> Iterator[PlannedField]:
    """Yield the labels and annotations that a plan sets; others belong to somebody else."""
    for part in _METADATA:
        before = (old.get("metadata") or {}).get(part) or {}
        for key, value in (new["metadata"].get(part) or {}).items():
            if before.get(key) != value:
                yield PlannedField(f"metadata.{part}[{key}]", before.get(key), value)


def _differences(path: str, old: Any, new: Any) -> Iterator[PlannedField]:
    """Yield the differences of two JSON values; lists of texts are values."""
    if old == new and type(old) is type(new):
        return
    if isinstance(new, dict) and (old is _ABSENT or isinstance(old, dict)):
        before: JsonObject = {} if old is _ABSENT else old
        for key in [*before, *(key for key in new if key not in before)]:
            yield from _differences(
                joined(path, key), before.get(key, _ABSENT), new.get(key, _ABSENT)
            )
        return
    if _is_objects(new) and (old is _ABSENT or _is_objects(old)):
        yield from _of_elements(path, [] if old is _ABSENT else old, new)
        return
    yield PlannedField(path, None if old is _ABSENT else old, None if new is _ABSENT else new)


def _of_elements(path: str, old: list[Any], new: list[Any]) -> Iterator[PlannedField]:
    for at in range(max(len(old), len(new))):
        before = old[at] if at < len(old) else _ABSENT
        after = new[at] if at < len(new) else _ABSENT
        yield from _differences(f"{path}[{at}]", before, after)


def _is_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value) and value != []
