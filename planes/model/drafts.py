"""Attachments in the making: the user's elements in their order, then the planes that are missing.

Interfaces are numbered as Multus numbers them: net<position in the list>, counted from 1, and a
named element consumes its number too. An injected element always carries its name, so that what
others add later cannot renumber it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from planes.model.addresses import IPAddress, parse_request
from planes.model.catalog import Catalog
from planes.model.errors import Finding
from planes.model.findings import Findings
from planes.model.objects import NadRef
from planes.model.plane_check import TAKEN_INTERFACES
from planes.model.plane_spec import Attach, Plane
from planes.model.selection import NETWORKS_PATH, Selection


@dataclass(slots=True)
class Draft:
    """One attachment while it is being decided.

    Attributes:
        plane: the plane behind its NAD.
        is_new: True where it is not in the annotation yet.
        is_completed: True where addresses have to be put into the user's element.
        injected: True where a plane put it there, now or in an earlier review.
        ref: the NAD.
        asked: `ips` as addresses with the prefix length that was written.
    """

    index: int
    selection: Selection
    interface: str
    plane: Plane | None
    is_new: bool = False
    is_completed: bool = False
    injected: bool = False
    ips: tuple[str, ...] = ()
    candidates: tuple[IPAddress, ...] = ()
    ref: NadRef = field(init=False)
    asked: tuple[tuple[IPAddress, int | None], ...] = field(init=False)

    def __post_init__(self) -> None:
        self.ref = self.selection.ref
        self.ask(self.ips)

    def ask(self, ips: tuple[str, ...]) -> None:
        """Set the addresses to ask for, known to be readable."""
        self.ips = ips
        self.asked = tuple([parse_request(text) for text in ips])

    @property
    def path(self) -> str:
        """Where it stands, or will stand, in the annotation."""
        return f"{NETWORKS_PATH}[{self.index}]"


def draft_attachments(
    selections: Sequence[Selection], joined: Sequence[Plane], catalog: Catalog, findings: Findings
) -> list[Draft]:
    """Draft the user's elements and every missing plane that a joined namespace always gets."""
    drafts = [
        Draft(
            index=index,
            selection=selection,
            interface=selection.interface or f"net{index + 1}",
            plane=catalog.plane_of(selection.ref),
            ips=selection.ips,
        )
        for index, selection in enumerate(selections)
    ]
    present = {draft.ref for draft in drafts}
    taken = {draft.interface for draft in drafts} | TAKEN_INTERFACES
    for plane in joined:
        if plane.attachment is not Attach.ALWAYS or plane.ref in present:
            continue
        present.add(plane.ref)
        if plane.ref not in catalog.nads:
            findings.enforce(plane, [_no_nad(plane)])
            continue
        interface = _interface(plane, len(drafts), taken)
        taken.add(interface)
        selection = Selection(
            name=plane.ref.name,
            namespace=plane.ref.namespace,
            interface=interface,
            default_route=_default_route(plane, drafts),
        )
        drafts.append(Draft(len(drafts), selection, interface, plane, is_new=True, injected=True))
    return drafts


def _no_nad(plane: Plane) -> Finding:
    return Finding(
        NETWORKS_PATH,
        f"cannot attach plane {plane.name}: its NAD {plane.ref} does not exist",
        "create the NAD, or mend spec.network.nadRef of the plane",
    )


def _interface(plane: Plane, index: int, taken: set[str]) -> str:
    if plane.interface and plane.interface not in taken:
        return plane.interface
    number = index + 1
    while f"net{number}" in taken:
        number += 1
    return f"net{number}"


def _default_route(plane: Plane, drafts: Sequence[Draft]) -> tuple[str, ...] | None:
    """Give the gateways of a default-route plane, unless an element before has taken the route."""
    if not plane.default_route or any(draft.selection.default_route for draft in drafts):
        return None
    return tuple(map(str, plane.gateways))
