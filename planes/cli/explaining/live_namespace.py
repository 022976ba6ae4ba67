"""Explain a namespace: which planes its pods get, why not the others, and its quotas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from planes.cli.console import Console
from planes.cli.explaining.items import ExplainedItem
from planes.cli.reading.decision_state import DecisionState, decision_state
from planes.cli.reading.place import Place
from planes.kube.resources import NAMESPACES
from planes.kube.store.namespaces import read_namespace
from planes.model.decide.explain import why_joined, why_not_joined
from planes.model.errors import Finding, JsonObject
from planes.model.lines import one_line
from planes.model.names import PLANE_LABEL_PREFIX
from planes.model.objects import Namespace
from planes.model.spec.plane_spec import JOINED, REQUIRED, Attach, Plane
from planes.model.state.catalog import Catalog
from planes.model.state.claims import Usage

_LONGEST: Final = 512
_PLANE: Final = "Plane/"


@dataclass(frozen=True, slots=True)
class _Row:
    """One plane, as a namespace meets it.

    Attributes:
        joins: `required`, `yes`, `on request`, or `no`.
        quota: attachments, addresses and static ones: in use, and the limit (None: none).
    """

    plane: str
    joins: str
    why: str
    quota: Mapping[str, tuple[int, int | None]]

    def cells(self) -> tuple[str, ...]:
        """Return the row of the table."""
        texts = [
            f"{used}/{'∞' if most is None else most}" if most is not None or used else "-"
            for used, most in self.quota.values()
        ]
        return self.plane, self.joins, *(texts or ["-"] * 3), self.why


async def explain_namespace(place: Place, console: Console, name: str) -> ExplainedItem:
    """Print which planes a namespace joins, and return it.

    Raises:
        NotFound: there is no such namespace.
        PlanesError: something cannot be read.
    """
    obj = await place.api.get(NAMESPACES, name, is_metadata_only=True)
    namespace = read_namespace(obj)
    state = await decision_state(place, {name})
    rows = list(_rows(namespace, state))
    errors, warnings = _findings(namespace, state)
    for text in state.unknown:
        console.warn(text)
    _print(console, name, rows)
    item = ExplainedItem("Namespace", name, name, errors, warnings, _details(rows, state))
    replace(item, namespace="").print_findings(console)
    return item


def _rows(namespace: Namespace, state: DecisionState) -> Iterator[_Row]:
    catalog = state.snapshot.catalog
    required = catalog.membership(namespace).required
    for plane in catalog.planes:
        leaving = "; the plane is being deleted" if plane.name in state.leaving else ""
        if not plane.joined_by(namespace):
            yield _Row(plane.name, "no", why_not_joined(plane, namespace) + leaving, {})
            continue
        why = why_joined(plane, namespace)
        if plane.pod_selector.requirements:
            why += f"; pods must match {plane.pod_selector}"
        joins = "required" if plane.name in required else "yes"
        if plane.attachment is Attach.ON_REQUEST:
            joins, why = "on request", f"{why}; pods must ask for {plane.ref}"
        yield _Row(plane.name, joins, why + leaving, _quota(plane, namespace, catalog))
    for held in catalog.withheld.values():
        if held.plane.joined_by(namespace):
            yield _Row(held.plane.name, "no", f"not in force: {held.finding('').message}", {})
    for name, reason in _not_accepted(state).items():
        value = namespace.labels.get(PLANE_LABEL_PREFIX + name)
        said = f"; the namespace has its label: {one_line(value, 63)}" if value else ""
        yield _Row(name, "no", f"not accepted: {reason}{said}", {})


def _quota(
    plane: Plane, namespace: Namespace, catalog: Catalog
) -> Mapping[str, tuple[int, int | None]]:
    used: Usage = catalog.claims.usage(plane.ref, namespace.name)
    most = plane.quota_for(namespace)
    return {
        "attachments": (used.attachments, most.attachments),
        "addresses": (used.addresses, most.addresses),
        "static": (used.static, most.static),
    }


def _not_accepted(state: DecisionState) -> Mapping[str, str]:
    """Return why planes are not accepted, by their names."""
    return {
        problem.where.removeprefix(_PLANE): one_line(problem.reason, _LONGEST)
        for problem in state.ignored
        if problem.where.startswith(_PLANE)
    }


def _findings(
    namespace: Namespace, state: DecisionState
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Return errors and warnings; a label of a plane that is not in force is an error."""
    membership = state.snapshot.catalog.membership(namespace)
    faults = _not_accepted(state)
    labels = {f"namespace.metadata.labels[{PLANE_LABEL_PREFIX}{name}]": name for name in faults}
    errors = [held.finding("") for held in membership.withheld]
    warnings: list[Finding] = []
    for found in (*membership.errors, *membership.warnings):
        name = labels.get(found.path, "")
        is_meant = namespace.labels.get(PLANE_LABEL_PREFIX + name) in {JOINED, REQUIRED}
        if name and is_meant:
            text = f"cannot join plane {name}: it is not accepted: {faults[name]}"
            errors.append(Finding(found.path, text, "correct the plane"))
        elif found in membership.errors:
            errors.append(found)
        else:
            warnings.append(found)
    quotas = list(_full(namespace, state.snapshot.catalog))
    return tuple(errors), (*warnings, *quotas)


def _full(namespace: Namespace, catalog: Catalog) -> Iterator[Finding]:
    for plane in catalog.membership(namespace).planes:
        for what, (used, most) in _quota(plane, namespace, catalog).items():
            if most is not None and used >= most:
                message = f"the quota of {what} in plane {plane.name} is used up: {used} of {most}"
                remedy = "remove pods of the namespace, or ask for a larger quota"
                yield Finding(f"spec.quota of plane {plane.name}", message, remedy)


def _print(console: Console, name: str, rows: list[_Row]) -> None:
    joined = [row.plane for row in rows if row.joins != "no"]
    if not rows:
        console.line(f"Namespace {name} joins no plane: none is defined.")
        return
    what = f"joins {', '.join(joined)}" if joined else "joins no plane"
    console.line(f"Namespace {name} {what}.")
    console.line("")
    header = ("PLANE", "JOINS", "ATTACHMENTS", "ADDRESSES", "STATIC", "WHY")
    console.table(header, [row.cells() for row in rows])


def _details(rows: list[_Row], state: DecisionState) -> JsonObject:
    return {
        "planes": [
            {
                "plane": row.plane,
                "joins": row.joins,
                "why": row.why,
                "quota": {k: {"used": u, "limit": m} for k, (u, m) in row.quota.items()},
            }
            for row in rows
        ],
        "ignored": [{"where": one.where, "reason": one.reason} for one in state.ignored],
        "unknown": list(state.unknown),
    }
