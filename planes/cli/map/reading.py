"""Reading a map: planes and who has their addresses, then pods page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from planes.cli.map.facts import MapGroup, MapNetwork, MapStrip, NetworkKind, PlaneMap
from planes.cli.map.own_namespace import OwnNamespace
from planes.cli.map.pod_reading import MOST_GROUPS, PodCollection
from planes.cli.map.texts import count
from planes.cli.reading.address_use import PlaneUse, Proof, plane_uses
from planes.cli.reading.directory_api import DirectoryApi
from planes.cli.reading.place import Place
from planes.kube.api import Query
from planes.kube.resources import PODS
from planes.kube.store.pod_views import POD_FIELDS
from planes.model.addresses import IPAddress, parse_address, range_of
from planes.model.errors import BadInput, Denied
from planes.model.lines import first_few, one_line
from planes.model.spans import SpanSet
from planes.model.spec.plane_spec import Plane
from planes.model.spec.subnet import Subnet
from planes.run.clock import rfc3339

MOST_PLANES: Final = 64
"""Planes that have a line and strips of their own."""
_MOST_SUBNETS_IN_ABOUT: Final = 2
_LONGEST: Final = 120
_LONGEST_REASON: Final = 512
_MOST_PROBLEMS: Final = 20
_OWN: Final = frozenset({Proof.HOLDER, Proof.CLAIM})


async def read_map(place: Place, by: str, namespace: str = "") -> PlaneMap:
    """Return what a map of a place shows.

    Args:
        place: where to read.
        by: what pods are grouped by, `node` or `namespace`.
        namespace: the only one whose pods are shown; "" for all.

    Raises:
        PlanesError: something cannot be read.
    """
    found, notes = await _uses(place, namespace)
    uses = sorted(found.values(), key=lambda use: (use.plane.order, use.plane.name))
    shown = uses[:MOST_PLANES]
    if len(uses) > len(shown):
        names = first_few([use.plane.name for use in uses[MOST_PLANES:]], 5)
        notes.append(f"{len(uses) - len(shown)} planes have no line of their own: {names}")
    nodes = _nodes(shown)
    pods = PodCollection(
        by,
        {str(use.plane.ref): _network(use.plane) for use in shown},
        _KeptAddresses(shown).holds,
        lambda pod: nodes.get(pod, ""),
    )
    query = Query(PODS, namespace=namespace, fields=POD_FIELDS)
    async for page in place.api.pages(query):
        for obj in page.items:
            pods.add(obj)
    networks, groups = pods.networks(), pods.groups()
    notes += _notes(pods, by)
    index = {
        network.name: number
        for number, network in enumerate(networks)
        if network.kind is NetworkKind.PLANE
    }
    return PlaneMap(
        place=one_line(place.title, _LONGEST) if place.is_cluster else "this machine",
        by=by,
        networks=networks,
        groups=groups[:MOST_GROUPS],
        strips=tuple(strip for use in shown for strip in _strips(use, index[use.plane.name])),
        namespace=namespace,
        when=rfc3339(place.clock.now()),
        more_groups=max(len(groups) - MOST_GROUPS, 0),
        more_pods=_count(groups[MOST_GROUPS:]),
        notes=tuple(notes),
        problems=tuple(_problems(place)),
    )


async def _uses(place: Place, namespace: str) -> tuple[Mapping[str, PlaneUse], list[str]]:
    """Return planes and who has their addresses, and what is missing of that.

    Raises:
        PlanesError: something cannot be read.
    """
    invalid: list[str] = []
    try:
        found = await plane_uses(place, warn=invalid.append)
        return found, _invalid(invalid)
    except Denied as error:
        if not namespace:
            raise
        why = one_line(str(error), _LONGEST_REASON)
    own = replace(place, api=OwnNamespace(place.api, namespace))
    note = f"addresses that others have are not known, so fewer are free than is shown: {why}"
    invalid.clear()
    found = await plane_uses(own, warn=invalid.append)
    return found, [note, *_invalid(invalid)]


def _invalid(warnings: list[str]) -> list[str]:
    """Return what is said of planes that are left out; the rest of many is counted."""
    more = len(warnings) - _MOST_PROBLEMS
    return [*warnings[:_MOST_PROBLEMS], *([f"{more} more planes are left out"] if more > 0 else [])]


def _count(groups: tuple[MapGroup, ...]) -> int:
    return sum(group.count for group in groups)


def _problems(place: Place) -> Iterator[str]:
    """Yield what of the manifests is ignored; the rest of many is counted."""
    found = place.api.problems if isinstance(place.api, DirectoryApi) else ()
    for one in found[:_MOST_PROBLEMS]:
        yield one_line(f"{one.where}: {one.reason}", 2 * _LONGEST)
    if len(found) > _MOST_PROBLEMS:
        yield f"{len(found) - _MOST_PROBLEMS} more manifests are ignored"


def _notes(pods: PodCollection, by: str) -> Iterator[str]:
    if pods.unreadable:
        several = count(pods.unreadable, "pod")
        yield f"{several} without stops: what network-status says there cannot be read"
    if pods.undrawn:
        yield (
            f"{count(pods.undrawn, 'pod')} counted and not drawn; -n NAMESPACE draws those of one "
            f"namespace, and here they are in the counts of each {by}"
        )


def _nodes(uses: list[PlaneUse]) -> Mapping[str, str]:
    """Return the node of each pod, `namespace/name`, by the addresses that it has."""
    return {
        one.pod: one.node
        for use in uses
        for several in use.uses.values()
        for one in several
        if one.pod and one.node
    }


class _KeptAddresses:
    """Which addresses planes keep for certain pods, or hold as static ones."""

    def __init__(self, uses: list[PlaneUse]) -> None:
        self._uses = {use.plane.name: use for use in uses}

    def holds(self, plane: str, text: str) -> bool:
        """Report whether an address is a static one of a plane."""
        use = self._uses[plane]
        try:
            address = parse_address(text)
        except BadInput:
            return False
        if any(one.proof in _OWN for one in use.uses.get(address, ())):
            return True
        subnet = use.plane.subnet_of(address)
        is_in_range = subnet is not None and any(address in span for span in subnet.static_ranges)
        return is_in_range or use.plane.reservation_of(address) is not None


def _network(plane: Plane) -> MapNetwork:
    about = [_wire(plane)]
    cidrs = [subnet.cidr for subnet in plane.subnets]
    if cidrs:
        about.append(first_few(cidrs, _MOST_SUBNETS_IN_ABOUT))
    lines = tuple(one_line(text, _LONGEST) for text in about)
    return MapNetwork(NetworkKind.PLANE, plane.name, lines, one_line(plane.purpose, _LONGEST))


def _wire(plane: Plane) -> str:
    network = plane.network
    if network is None:
        return f"NAD {plane.ref}"
    wire = network.master or network.resource_name
    vlan = f", VLAN {network.vlan}" if network.vlan else ""
    return f"{network.type} on {wire}{vlan}" if wire else f"{network.type}{vlan}"


def _strips(use: PlaneUse, network: int) -> Iterator[MapStrip]:
    """Yield a strip for each subnet; each used address is in the first that has it."""
    left = set(use.uses)
    for subnet in use.plane.subnets:
        used = sorted(ip for ip in left if ip.version == subnet.version and ip in subnet.cidr)
        left.difference_update(used)
        yield MapStrip(
            network=network,
            cidr=subnet.cidr,
            gateway=subnet.gateway,
            ranges=subnet.ranges or (range_of(subnet.cidr),),
            static=subnet.static_ranges,
            excluded=subnet.exclude,
            kept=tuple(
                (one.address, one_line(str(one), _LONGEST))
                for one in use.plane.reservations
                if one.address.version == subnet.version and one.address in subnet.cidr
            ),
            used=tuple(used),
            free=_free(subnet, used, use.cooling),
        )


def _free(subnet: Subnet, used: list[IPAddress], cooling: set[IPAddress]) -> int:
    """Return how many addresses are left to be handed out unasked."""
    taken = {*used, *cooling}
    dynamic = SpanSet(subnet.dynamic)
    gone = sum(ip in dynamic for ip in taken)
    return sum(span.size for span in subnet.dynamic) - gone
