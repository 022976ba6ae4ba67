"""Drafts of attachments: the user's elements in their order, then the planes that are missing.

Interfaces are numbered as by Multus: net<position in the list>, counted from 1; a named element
uses up its number too. An injected element always has its interface name, so that elements added
later cannot renumber it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from planes.model.addresses import IPAddress, parse_request
from planes.model.annotations.selection import NETWORKS_PATH, Selection
from planes.model.decide.findings import Findings
from planes.model.errors import Finding
from planes.model.objects import NadRef
from planes.model.spec.plane_check import TAKEN_INTERFACES
from planes.model.spec.plane_spec import Attach, Plane
from planes.model.state.catalog import Catalog
from planes.model.state.static_ips import AddressList

Asked = tuple[IPAddress, int | None]
_HOLDS_NOTHING: Mapping[str, tuple[IPAddress, ...]] = {}


@dataclass(slots=True)
class Draft:
    """One attachment while it is being decided.

    Attributes:
        ref: the NAD.
        plane: the plane that the NAD backs.
        ips: addresses to ask for, as written.
        asked: the same as addresses, with the prefix length that was written.
        source: where the addresses were listed, None for those of the element itself.
        is_joined: True where pod and namespace belong to the plane.
        is_new: True where it is not in the annotation yet.
        is_completed: True where addresses have to be put into the user's element.
        injected: True where it was added for a plane, now or in an earlier review.
        where: its path, where it is not in the list of networks.
        refused: members of the element that the plane does not permit.
        refused_ips: places in `ips` of the addresses that the pod may not have.
        governing: the joined plane on whose wire the NAD is, where that is no plane's.
        held: addresses that it may have of planes on its wire, by plane; None is none.
        guards: planes on its wire; it may have no further address of their subnets.
        is_on_wire: True where its NAD is no plane's but on a wire of one, shared or not.
    """

    index: int
    selection: Selection
    interface: str
    ref: NadRef
    plane: Plane | None
    ips: tuple[str, ...] = ()
    asked: tuple[Asked, ...] = ()
    candidates: tuple[IPAddress, ...] = ()
    source: AddressList | None = None
    is_joined: bool = True
    is_new: bool = False
    is_completed: bool = False
    injected: bool = False
    where: str = ""
    refused: frozenset[str] = frozenset()
    refused_ips: frozenset[int] = frozenset()
    governing: Plane | None = None
    held: Mapping[str, tuple[IPAddress, ...]] | None = None
    guards: tuple[Plane, ...] = ()
    is_on_wire: bool = False

    @property
    def governed_by(self) -> Plane | None:
        """The plane whose policy says what may be asked for: its own, or that of its wire."""
        return self.plane or self.governing

    @property
    def holds(self) -> Mapping[str, tuple[IPAddress, ...]]:
        """The addresses that it may have of planes on its wire, by plane."""
        return _HOLDS_NOTHING if self.held is None else self.held

    @property
    def permitted_ips(self) -> tuple[str, ...]:
        """The addresses to ask for, without those that were refused."""
        if not self.refused_ips:
            return self.ips
        return tuple([ip for at, ip in enumerate(self.ips) if at not in self.refused_ips])

    @property
    def path(self) -> str:
        """Its path in the annotation, or the one it will have."""
        return self.where or f"{NETWORKS_PATH}[{self.index}]"

    @property
    def ips_path(self) -> str:
        """Where its addresses were asked for."""
        return f"{self.path}.ips" if self.source is None else self.source.path

    def ip_path(self, index: int) -> str:
        """Where one of its addresses was asked for."""
        if self.source is None:
            return f"{self.path}.ips[{index}]"
        return self.source.place_of(self.asked[index][0])


def draft_attachments(
    elements: Sequence[Selection | None],
    joined: Sequence[Plane],
    catalog: Catalog,
    findings: Findings,
) -> list[Draft]:
    """Draft the user's elements, then every joined plane with attachment Always that is missing.

    Elements that cannot be read (None) keep their places.
    """
    drafts = [
        _of_user(index, selection, joined, catalog)
        for index, selection in enumerate(elements)
        if selection is not None
    ]
    present = {draft.ref for draft in drafts}
    taken = {draft.interface for draft in drafts}
    index = len(elements)
    for plane in joined:
        ref = plane.ref
        if plane.attachment is not Attach.ALWAYS or ref in present:
            continue
        if ref not in catalog.nads:
            findings.enforce(plane, [_no_nad(plane)])
            continue
        present.add(ref)
        interface = _interface(plane, index, taken)
        taken.add(interface)
        selection = catalog.element(ref, interface)
        if plane.default_route:
            selection = replace(selection, default_route=_default_route(plane, drafts))
        drafts.append(Draft(index, selection, interface, ref, plane, is_new=True, injected=True))
        index += 1
    return drafts


def _of_user(index: int, selection: Selection, joined: Sequence[Plane], catalog: Catalog) -> Draft:
    ref, ips = selection.ref, selection.ips
    plane = catalog.plane_of(ref)
    return Draft(
        index,
        selection,
        selection.interface or f"net{index + 1}",
        ref,
        plane,
        ips,
        tuple([parse_request(text) for text in ips]) if ips else (),
        is_joined=plane is not None and any(plane is each for each in joined),
    )


def _no_nad(plane: Plane) -> Finding:
    return Finding(
        NETWORKS_PATH,
        f"cannot attach plane {plane.name}: its NAD {plane.ref} does not exist",
        "create the NAD, or mend spec.network.nadRef of the plane",
    )


def _interface(plane: Plane, index: int, taken: set[str]) -> str:
    name = plane.interface
    number = index + 1
    while not name or name in taken or name in TAKEN_INTERFACES:
        name = f"net{number}"
        number += 1
    return name


def _default_route(plane: Plane, drafts: Sequence[Draft]) -> tuple[str, ...] | None:
    """Return the gateways of a default-route plane, unless an earlier element has the route."""
    if any(draft.selection.default_route for draft in drafts):
        return None
    return tuple(map(str, plane.gateways))
