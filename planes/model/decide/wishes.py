"""Every wish that a network selection element can carry, and what a plane permits of it.

`WISHES` is the one list. `check_wishes` refuses what a plane does not permit, and `permitted` gives
what an attachment's plugins are told: of a plane's attachment the permitted wishes and nothing
else, of any other all of them, as Multus does. A member that nobody listed is refused on a plane.
Where a plane only warns or audits, a refused wish is left out and the pod starts without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

from planes.model.addresses import parse_address
from planes.model.annotations.selection import Selection
from planes.model.bounds import MAX_UNKNOWN
from planes.model.decide.drafts import Draft
from planes.model.decide.findings import Findings
from planes.model.errors import Finding, JsonObject
from planes.model.spec.plane_spec import Plane

RUNTIME_FACTS: Final = frozenset({"cgroupPath"})
"""What a plane's plugins get of the runtime's own capability arguments: what the runtime says of
the sandbox. The others (portMappings, bandwidth, dns, pod annotations, …) are written by the pod's
author, for the default network."""

_NOTHING: Mapping[str, Any] = {}
_SHOWN_CHARACTERS: Final = 32


@dataclass(frozen=True, slots=True)
class Breach:
    """One wish that a plane does not permit.

    Attributes:
        place: the member below the element, e.g. `cni-args.ips`.
    """

    place: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Permitted:
    """What the plugins of one attachment are told of its element.

    Attributes:
        capabilities: capability arguments by name (CNI conventions, "runtimeConfig"); addresses
            and MAC included.
        cni_args: what is merged into `args.cni` of every plugin.
        default_route: gateways whose families' default routes the interface takes.
    """

    ips: tuple[str, ...] = ()
    mac: str = ""
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    cni_args: Mapping[str, Any] = field(default_factory=dict)
    default_route: tuple[str, ...] = ()


_NO_WISHES: Final = Permitted()
Judge = Callable[[Plane, Selection], Iterable[Breach]]


def _elsewhere(_plane: Plane, _selection: Selection) -> Iterable[Breach]:
    """Judge nothing: another check of the decision does."""
    return ()


def _mac(plane: Plane, selection: Selection) -> Iterable[Breach]:
    if not selection.mac or plane.allow_mac:
        return ()
    message = f"cannot choose the MAC: plane {plane.name} does not allow it"
    return (Breach("mac", message, "remove mac from the element"),)


def _default_route(plane: Plane, selection: Selection) -> Iterable[Breach]:
    return _gateways(plane, selection.default_route) if selection.default_route else ()


def _gateways(plane: Plane, asked: tuple[str, ...]) -> Iterator[Breach]:
    """Judge gateways: the plane's own, where it has any; else nobody knows which are wrong."""
    gateways = [subnet.gateway for subnet in plane.subnets if subnet.gateway is not None]
    for index, text in enumerate(asked):
        if gateways and parse_address(text) not in gateways:
            own = ", ".join(map(str, gateways))
            yield Breach(
                f"default-route[{index}]",
                f"cannot route through {text}: it is no gateway of plane {plane.name}",
                f"name a gateway of the plane: {own}",
            )


_SPELLED_ELSEWHERE: Final = {"ips": "ips", "ip": "ips", "mac": "mac"}


def _cni_args(plane: Plane, selection: Selection) -> Iterable[Breach]:
    return _arguments(plane, selection.cni_args) if selection.cni_args else ()


def _arguments(plane: Plane, args: JsonObject) -> Iterator[Breach]:
    """Judge arguments of plugins: a plane takes none, as any of them may change its network."""
    for key in list(args)[:MAX_UNKNOWN]:
        member = _SPELLED_ELSEWHERE.get(key.casefold())
        remedy = (
            f"ask with {member} of the element, which the plane judges"
            if member
            else f"remove it; what holds for every pod belongs into plane {plane.name}"
        )
        shown = key[:_SHOWN_CHARACTERS]
        yield Breach(
            f"cni-args.{shown}",
            f"cannot pass {shown} to the plugin: plane {plane.name} takes no cni-args",
            remedy,
        )
    if len(args) > MAX_UNKNOWN:
        more = len(args) - MAX_UNKNOWN
        yield Breach(
            "cni-args",
            f"cannot pass {more} more arguments to the plugin: plane {plane.name} takes none",
            "remove them",
        )


def _never(key: str, attribute: str, what: str, remedy: str) -> Judge:
    """Give the judge of a wish that no setting of a plane permits."""
    wish = attrgetter(attribute)

    def judge(plane: Plane, selection: Selection) -> Iterable[Breach]:
        if not wish(selection):
            return ()
        return (Breach(key, f"cannot {what} on plane {plane.name}", remedy),)

    return judge


WISHES: Final[Mapping[str, Judge]] = {
    "name": _elsewhere,  # access: the plane is joined
    "namespace": _elsewhere,
    "interface": _elsewhere,  # element_check: valid, and free
    "interfaceRequest": _elsewhere,
    "ips": _elsewhere,  # address_check: each of them, by staticIPs, subnets and reservations
    "mac": _mac,
    "default-route": _default_route,
    "cni-args": _cni_args,
    "portMappings": _never(
        "portMappings",
        "port_mappings",
        "open ports of the node",
        "remove portMappings; publish ports with a Service, or with hostPort on the default "
        "network",
    ),
    "bandwidth": _never(
        "bandwidth",
        "bandwidth",
        "choose the bandwidth",
        "remove it; the plane's own limit is spec.bandwidth",
    ),
    "deviceID": _never(
        "deviceID",
        "device_id",
        "choose a device",
        "remove deviceID; devices are given out by the plane's spec.network.resourceName",
    ),
    "infiniband-guid": _never(
        "infiniband-guid", "infiniband_guid", "choose an InfiniBand GUID", "remove it"
    ),
    "ipam-claim-reference": _never(
        "ipam-claim-reference",
        "ipam_claim_reference",
        "keep addresses by a claim",
        "remove it; ask for an address with ips",
    ),
}
"""What judges each member of an element on a plane, by its name in the annotation."""


_JUDGES: Final = tuple(judge for judge in WISHES.values() if judge is not _elsewhere)


def check_wishes(draft: Draft, findings: Findings) -> None:
    """Refuse every wish of an element that the plane behind it does not permit."""
    plane = draft.governed_by
    if plane is None or draft.is_new:
        return
    selection = draft.selection
    breaches = [breach for judge in _JUDGES for breach in judge(plane, selection)]
    if selection.unknown:
        breaches += _unlisted(plane, selection)
    for breach in breaches:
        draft.refused |= {breach.place.partition(".")[0].partition("[")[0]}
        path = f"{draft.path}.{breach.place}"
        findings.enforce(plane, [Finding(path, breach.message, breach.remedy, 403)])


def _unlisted(plane: Plane, selection: Selection) -> Iterator[Breach]:
    for key in selection.unknown[:MAX_UNKNOWN]:
        yield Breach(
            key,
            f"cannot ask plane {plane.name} for {key}: nobody knows what it means",
            "remove it, or correct its name",
        )


def permitted(draft: Draft) -> Permitted:
    """Give what an attachment's plugins are told; called after every check."""
    selection, refused = draft.selection, draft.refused
    ips = draft.permitted_ips
    mac = "" if "mac" in refused else selection.mac
    default_route = () if "default-route" in refused else selection.default_route or ()
    if draft.governed_by is not None:
        if not (ips or mac or default_route):
            return _NO_WISHES
        return Permitted(ips, mac, _given(ips=ips, mac=mac), _NOTHING, default_route)
    capabilities = _given(
        ips=ips,
        mac=mac,
        portMappings=selection.port_mappings,
        bandwidth=selection.bandwidth,
        infinibandGUID=selection.infiniband_guid,
        deviceID=selection.device_id,
    )
    return Permitted(ips, mac, capabilities, selection.cni_args or _NOTHING, default_route)


def _given(**wishes: Any) -> Mapping[str, Any]:
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in wishes.items()
        if value
    }
