"""The annotations to set on a pod: its extended networks, and the record of injected elements.

A record is believed only where its elements are there and its hash fits. It shows people and a
later review what was injected; it grants nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from planes.model.annotations.annotation_text import extend
from planes.model.annotations.record import Injected, Record, digest_of, format_record
from planes.model.annotations.selection import Reading
from planes.model.decide.drafts import Draft
from planes.model.names import INJECTED_ANNOTATION, NETWORKS_ANNOTATION
from planes.model.objects import Pod
from planes.model.state.catalog import Catalog

_NOTHING: Mapping[str, str] = {}


def proven_record(pod: Pod, drafts: Sequence[Draft], catalog: Catalog) -> Record | None:
    """Return the pod's record if it describes the drafts, and mark these as injected."""
    text = pod.annotations.get(INJECTED_ANNOTATION)
    record = None if text is None else catalog.annotation_cache.records.get(text)
    if record is None:
        return None
    entries = {(name, interface) for name, _, interface in record.planes}
    found = [
        draft
        for draft in drafts
        if draft.plane is not None
        and not draft.is_new
        and (draft.plane.name, draft.interface) in entries
    ]
    if len(found) != len(record.planes):
        return None
    if digest_of([draft.selection for draft in found]) != record.digest:
        return None
    for draft in found:
        draft.injected = True
    return record


def annotations_of(
    pod: Pod, reading: Reading, drafts: Sequence[Draft], record: Record | None
) -> Mapping[str, str]:
    """Return the annotations to set; `record` is the valid one, None where there is none."""
    additions = [draft.selection for draft in drafts if draft.is_new]
    completions = {draft.index: draft.ips for draft in drafts if draft.is_completed}
    if not additions and not completions and (record or INJECTED_ANNOTATION not in pod.annotations):
        return _NOTHING
    found: dict[str, str] = {}
    if additions or completions:
        text = pod.annotations.get(NETWORKS_ANNOTATION, "")
        found[NETWORKS_ANNOTATION] = extend(text, reading.selections, additions, completions)
    injected = [draft for draft in drafts if draft.injected]
    is_changed = any(draft.is_new or draft.is_completed for draft in injected)
    if is_changed or (record is None and INJECTED_ANNOTATION in pod.annotations):
        generations = {name: made for name, made, _ in record.planes} if record else {}
        found[INJECTED_ANNOTATION] = format_record(
            [_injected(draft, generations) for draft in injected]
        )
    return found


def _injected(draft: Draft, generations: Mapping[str, int]) -> Injected:
    plane = draft.plane
    name, generation = ("", 0) if plane is None else (plane.name, plane.generation)
    if not draft.is_new:
        generation = generations.get(name, generation)
    return Injected(name, generation, draft.selection)
