"""Wishes: the requests of a network selection element, and which of them a plane permits.

`WISHES` lists all of them. `check_wishes` refuses what a plane does not permit, and `permitted`
returns what an attachment's plugins get: on a plane the permitted wishes alone, on any other
network all of them, as with Multus. A member that is not listed is refused on a plane. Where a
plane only warns or audits, a refused wish is left out and the pod starts without it.
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
from planes.model.lines import printable
from planes.model.names import is_dns_subdomain, shown
from planes.model.near_names import closest_name, did_you_mean
from planes.model.spec.plane_spec import Plane

RUNTIME_FACTS: Final = frozenset({"cgroupPath"})
"""Capability arguments of the runtime that a plane's plugins get: facts about the sandbox. The
others (portMappings, bandwidth, dns, pod annotations, …) come from the pod's author and are for the
default network."""

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
    """The requests of an element that the plugins of its attachment get.

    Attributes:
        capabilities: capability arguments by name (CNI conventions, "runtimeConfig"); addresses
            and MAC included.
        cni_args: what is merged into `args.cni` of every plugin.
        default_route: gateways whose families' default routes the interface takes.
        claim: the IPAMClaim that keeps its addresses, on a plane.
    """

    ips: tuple[str, ...] = ()
    mac: str = ""
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    cni_args: Mapping[str, Any] = field(default_factory=dict)
    default_route: tuple[str, ...] = ()
    claim: str = ""


_NO_WISHES: Final = Permitted()
WishCheck = Callable[[Plane, Selection], Iterable[Breach]]


def _elsewhere(_plane: Plane, _selection: Selection) -> Iterable[Breach]:
    """Return nothing: another part of the decision checks it."""
    return ()


def _mac(plane: Plane, selection: Selection) -> Iterable[Breach]:
    if not selection.mac or plane.allow_mac:
        return ()
    message = f"cannot choose the MAC: plane {plane.name} does not allow it"
    return (Breach("mac", message, "remove mac from the element"),)


def _default_route(plane: Plane, selection: Selection) -> Iterable[Breach]:
    return _gateways(plane, selection.default_route) if selection.default_route else ()


def _gateways(plane: Plane, asked: tuple[str, ...]) -> Iterator[Breach]:
    """Check that gateways are the plane's, where it has any."""
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
    """Refuse arguments for plugins: any of them may change the plane's network."""
    for key in list(args)[:MAX_UNKNOWN]:
        member = _SPELLED_ELSEWHERE.get(key.casefold())
        remedy = (
            f"ask with {member} of the element, which the plane judges"
            if member
            else f"remove it; what holds for every pod belongs into plane {plane.name}"
        )
        name = printable(key[:_SHOWN_CHARACTERS])
        yield Breach(
            f"cni-args.{name}",
            f"cannot pass {name} to the plugin: plane {plane.name} takes no cni-args",
            remedy,
        )
    if len(args) > MAX_UNKNOWN:
        more = len(args) - MAX_UNKNOWN
        yield Breach(
            "cni-args",
            f"cannot pass {more} more arguments to the plugin: plane {plane.name} takes none",
            "remove them",
        )


def _ipam_claim(plane: Plane, selection: Selection) -> Iterable[Breach]:
    name = selection.ipam_claim_reference
    if not name:
        return
    what = f"cannot keep addresses by a claim on plane {plane.name}"
    if not plane.is_persistent:
        yield Breach(
            "ipam-claim-reference",
            f"{what}: its addresses end with their pod",
            "remove it, or ask an administrator for ipam.lifecycle: Persistent",
        )
    elif not is_dns_subdomain(name):
        yield Breach(
            "ipam-claim-reference",
            f"{what}: {shown(name)} names none",
            "name an IPAMClaim of the pod's namespace, without the namespace",
        )
    elif selection.ips:
        yield Breach(
            "ipam-claim-reference",
            f"{what}: the element asks for addresses with ips, too",
            "remove one of both",
        )


def _never(key: str, attribute: str, what: str, remedy: str) -> WishCheck:
    """Return the check of a wish that no plane permits."""
    wish = attrgetter(attribute)

    def judge(plane: Plane, selection: Selection) -> Iterable[Breach]:
        if not wish(selection):
            return ()
        return (Breach(key, f"cannot {what} on plane {plane.name}", remedy),)

    return judge


WISHES: Final[Mapping[str, WishCheck]] = {
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
        "remove deviceID; which device a pod has is the plane's to say",
    ),
    "infiniband-guid": _never(
        "infiniband-guid", "infiniband_guid", "choose an InfiniBand GUID", "remove it"
    ),
    "ipam-claim-reference": _ipam_claim,
}
"""The check of each member of an element on a plane, by its name in the annotation."""


_CHECKS: Final = tuple(judge for judge in WISHES.values() if judge is not _elsewhere)


def check_wishes(draft: Draft, findings: Findings) -> None:
    """Refuse every wish of an element that its plane does not permit."""
    plane = draft.governed_by
    if plane is None or draft.is_new:
        return
    selection = draft.selection
    breaches = [breach for judge in _CHECKS for breach in judge(plane, selection)]
    if selection.unknown:
        breaches += _unlisted(plane, selection)
        if findings.is_strict(plane):  # the parser has warned that they are ignored
            findings.take_back(f"{draft.path}.{key}" for key in selection.unknown)
    for breach in breaches:
        draft.refused |= {breach.place.partition(".")[0].partition("[")[0]}
        path = f"{draft.path}.{breach.place}"
        findings.enforce(plane, [Finding(path, breach.message, breach.remedy, 403)])


def _unlisted(plane: Plane, selection: Selection) -> Iterator[Breach]:
    for key in selection.unknown[:MAX_UNKNOWN]:
        yield Breach(
            key,
            f"cannot ask plane {plane.name} for {printable(key)}: nobody knows what it means",
            did_you_mean(closest_name(key, WISHES), "remove it"),
        )


def permitted(draft: Draft) -> Permitted:
    """Return the requests that an attachment's plugins get; called after every check."""
    selection, refused = draft.selection, draft.refused
    ips = draft.permitted_ips
    mac = "" if "mac" in refused else selection.mac
    default_route = () if "default-route" in refused else selection.default_route or ()
    if draft.governed_by is not None:
        claim = "" if "ipam-claim-reference" in refused else selection.ipam_claim_reference
        if draft.plane is None:  # it is on the plane's wire, with an IPAM of its own
            claim = ""
        if not (ips or mac or default_route or claim):
            return _NO_WISHES
        return Permitted(ips, mac, _given(ips=ips, mac=mac), _NOTHING, default_route, claim)
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
