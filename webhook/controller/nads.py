"""Reconcile the NADs of typed planes: create, repair where they were edited, delete with the plane.

A NAD is ours when its label names the plane and its owner is a Plane. Any other NAD of that name is
neither adopted nor changed, and the plane's status says so. A plane that is at fault keeps the NAD
it has. Pods that are attached do not need the NAD to be detached.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planes.kube.api import KubeApi
from planes.kube.informers.cache import ObjectCache
from planes.kube.resources import NADS, PLANES
from planes.model.errors import JsonObject, NotFound
from planes.model.names import NETPLANE_NAMESPACE, RENDERED_LABEL, RESOURCE_NAME_ANNOTATION
from planes.model.objects import Nad, NadRef
from planes.model.spec.plane_spec import Plane
from planes.model.spec.render import plane_nad
from planes.model.state.kubelet_devices import NEEDS_DEVICE, no_device
from planes.model.state.nad_facts import NadFacts, nad_facts
from planes.model.state.plane_status import NadState
from webhook.controller.events import PlaneEvents
from webhook.controller.objects import NadSeen, PlaneSeen

_OUR_ANNOTATIONS = (RESOURCE_NAME_ANNOTATION,)


class NadKeeper:
    """Creates, repairs and deletes rendered NADs."""

    def __init__(
        self,
        api: KubeApi,
        planes: ObjectCache[PlaneSeen],
        nads: ObjectCache[NadSeen],
        events: PlaneEvents,
    ) -> None:
        self._api = api
        self._planes = planes
        self._nads = nads
        self._events = events
        self._told: set[str] = set()

    async def reconcile(self, name: str) -> bool:
        """Make the NAD of a plane's name what it should be, and report whether it was written.

        Raises:
            PlanesError: it could not be written; try again later.
        """
        if not (self._planes.is_synced and self._nads.is_synced):
            return False
        seen, found = self._planes.get("", name), self._nads.get(NETPLANE_NAMESPACE, name)
        if seen is not None and seen.faults:
            return False
        wanted = plane_nad(seen.plane) if seen is not None else None
        if seen is None or wanted is None:
            self._told.discard(name)
            if found is None or found.rendered_from != name:
                return False
            await self._api.delete(NADS, name, namespace=NETPLANE_NAMESPACE, uid=found.uid)
        elif found is None:
            await self._create(seen, wanted)
        elif found.rendered_from != name:
            await self._tell_taken(seen)
            return False
        else:
            return await self._repair(seen, wanted, found)
        return True

    async def _create(self, seen: PlaneSeen, wanted: Nad) -> None:
        nad = {
            "apiVersion": NADS.api_version,
            "kind": NADS.kind,
            "metadata": {
                "name": wanted.name,
                "namespace": wanted.namespace,
                "labels": {RENDERED_LABEL: wanted.name},
                "annotations": dict(wanted.annotations),
                "ownerReferences": [_owner(seen)],
            },
            "spec": {"config": wanted.config},
        }
        await self._api.create(NADS, nad, namespace=wanted.namespace)
        self._told.discard(wanted.name)

    async def _repair(self, seen: PlaneSeen, wanted: Nad, found: NadSeen) -> bool:
        changes = _changes(seen, wanted, found)
        if not changes:
            return False
        changes.setdefault("metadata", {})["resourceVersion"] = found.resource_version
        try:
            await self._api.patch(NADS, wanted.name, changes, namespace=wanted.namespace)
        except NotFound:  # deleted since: the watch adds the key again
            return False
        if "spec" in changes:
            text = f"NAD {wanted.ref} did not say what the plane says, and was written again"
            await self._events.tell(seen, "Normal", "NADRepaired", text)
        return True

    async def _tell_taken(self, seen: PlaneSeen) -> None:
        name = seen.plane.name
        if name not in self._told:
            self._told.add(name)
            text = f"NAD {NETPLANE_NAMESPACE}/{name} is not Netplane's own; it is left alone"
            await self._events.tell(seen, "Warning", "NADNameTaken", text)


def nad_state(seen: PlaneSeen, found: NadSeen | None, facts: NadFacts | None) -> NadState:
    """Return the state of a plane's NAD.

    Args:
        seen: the plane, in force.
        found: the NAD of its name in our namespace.
        facts: of the NAD that it refers to; None where there is none.
    """
    wanted = plane_nad(seen.plane)
    told = facts if wanted is None else nad_facts(wanted)
    if told is not None and told.lacks_device:
        return _without_device(seen.plane, told)
    if wanted is None:
        return _referenced(seen.plane.ref, facts)
    if found is None:
        return NadState(False, "NotRendered", f"NAD {wanted.ref} is not there yet")
    if found.rendered_from != wanted.name:
        text = f"NAD {wanted.ref} was made by somebody else: remove it, or rename the plane"
        return NadState(False, "NameTaken", text)
    if _changes(seen, wanted, found):
        text = f"NAD {wanted.ref} does not say yet what the plane says"
        return NadState(False, "NotRendered", text)
    return NadState(True, "Rendered", f"NAD {wanted.ref} says what the plane says")


def _without_device(plane: Plane, facts: NadFacts) -> NadState:
    cause, remedy = no_device(plane.ref, facts.lacks_device)
    return NadState(False, NEEDS_DEVICE, f"no pod of the plane starts: {cause}; {remedy}")


def _referenced(ref: NadRef, facts: NadFacts | None) -> NadState:
    if facts is None:
        return NadState(False, "NADMissing", f"there is no NAD {ref}: create it")
    if facts.fault:
        return NadState(False, "NADInvalid", f"{facts.fault}; {facts.remedy}")
    return NadState(True, "Referenced", f"NAD {ref} is there")


def _changes(seen: PlaneSeen, wanted: Nad, found: NadSeen) -> dict[str, Any]:
    """Return the merge patch that makes a NAD as it should be; what others added stays."""
    metadata: dict[str, Any] = {}
    annotations = _missing(wanted.annotations, found.annotations)
    annotations |= {
        key: None
        for key in _OUR_ANNOTATIONS
        if key in found.annotations and key not in wanted.annotations
    }
    if annotations:
        metadata["annotations"] = annotations
    owner = _owner(seen)
    if owner not in found.owners:
        others = [each for each in found.owners if each.get("kind") != PLANES.kind]
        metadata["ownerReferences"] = [*others, owner]
    changes: dict[str, Any] = {"metadata": metadata} if metadata else {}
    if found.config != wanted.config:
        changes["spec"] = {"config": wanted.config}
    return changes


def _missing(wanted: Mapping[str, str], found: Mapping[str, str]) -> dict[str, str | None]:
    return {key: text for key, text in wanted.items() if found.get(key) != text}


def _owner(seen: PlaneSeen) -> JsonObject:
    return {
        "apiVersion": PLANES.api_version,
        "kind": PLANES.kind,
        "name": seen.plane.name,
        "uid": seen.uid,
    }
