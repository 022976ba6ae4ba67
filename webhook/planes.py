"""`/validate/planes`: warn of faults of a plane when it is written or deleted. Never refuses.

The condition Accepted shows the same faults; here `kubectl apply` shows them at once. A deletion
that has to wait for pods names them (issue 10).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from planes.model.errors import BadInput, JsonObject
from planes.model.spec.plane import find_plane_faults
from planes.model.spec.plane_spec import Deletion, Plane
from planes.model.spec.render import plane_nad
from planes.model.spec.unenforced import outdated, split_stored
from planes.model.state.catalog import Catalog
from planes.model.state.nad_facts import nad_facts
from planes.model.state.plane_users import users_of
from planes.model.state.rivals import Withheld, find_withheld
from planes.model.state.wire import Wire
from planes.store.protocol import Store
from webhook.review import PLANES, Allowed, Answer, Errored, Review

_NEWEST: Final = "9999"
"""Sorts after every time: a plane that is being created is the newest."""
_MOST_FAULTS: Final = 8


def validate_plane(review: Review, store: Store) -> Answer:
    """Answer a review of a plane, with warnings."""
    if review.resource != PLANES:
        return Errored(
            BadInput(
                f"cannot review {review.resource or 'an object without resource'}: "
                "this path is for planes",
                remedy="correct the rules of the webhook configuration",
            )
        )
    if review.subresource or not store.is_synced:
        return Allowed(audit={"decision": "exempt: nothing can be said of it here"})
    if review.operation == "DELETE":
        warnings = list(_deleted(review.old or {}, store.catalog))
    elif review.operation in {"CREATE", "UPDATE"}:
        warnings = list(_written(review.obj or {}, store.catalog, review.operation))
    else:
        warnings = []
    return Allowed(warnings, {"decision": "warned" if warnings else "nothing to say"})


def _written(obj: JsonObject, catalog: Catalog, operation: str) -> Iterator[str]:
    plane, findings = find_plane_faults(obj)
    faults, without_effect = split_stored(findings)
    yield from map(str, (*without_effect, *outdated(obj)))
    if faults:
        for finding in faults[:_MOST_FAULTS]:
            yield f"the plane will not be in force as it is written: {finding}"
        return
    if operation == "CREATE":
        plane = replace(plane, created=_NEWEST)
    for withheld in _withheld_with(plane, catalog):
        if withheld.plane.name == plane.name:
            yield f"the plane will not be in force: {withheld.cause}"
            yield withheld.remedy
        elif withheld.plane.ref not in catalog.withheld:
            name = withheld.plane.name
            yield f"plane {name} will no longer be in force: {withheld.cause}"


def _withheld_with(plane: Plane, catalog: Catalog) -> Iterator[Withheld]:
    """Yield the planes on its wires that are not in force once a plane is written as it is."""
    nad = plane_nad(plane)
    if nad is None:
        return
    wires = nad_facts(nad).wires
    others = {each.name: each for each in catalog.planes_on_wires(wires)}
    for each in catalog.withheld.values():
        others[each.plane.name] = each.plane
    others.pop(plane.name, None)

    def wires_of(each: Plane) -> frozenset[Wire]:
        return wires if each is plane else catalog.facts_of(each.ref).wires

    yield from find_withheld([*others.values(), plane], wires_of).values()


def _deleted(obj: JsonObject, catalog: Catalog) -> Iterator[str]:
    plane, _ = find_plane_faults(obj)
    users = users_of(plane, catalog) if plane.name else None
    if users is None or not users.count:
        return
    if plane.deletion is Deletion.BLOCK:
        yield f"plane {plane.name} stays in force until no pod has it: {users}"
        spaces = ", ".join(users.namespaces)
        yield (
            f"it goes when its namespaces leave it ({spaces}: remove label {plane.label}) and "
            "their pods are deleted, or with spec.deletionPolicy Orphan"
        )
    else:
        rest = "new pods get none, and fail where it is required"
        yield f"plane {plane.name} is left to {users}; {rest}"
