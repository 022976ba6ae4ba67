"""The networks that pods of a node may get: planes, NADs and the default network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from cni.net.host_devices import links_of_device, links_of_path, links_of_physical
from cni.net.host_survey import HostSurvey
from cni.net.uplink_carrier import LinkUse
from cni.planning.carrier_faults import uplinks_in
from planes.kube.api import Query, ReadApi
from planes.kube.resources import NADS, PLANES
from planes.model.errors import JsonObject, PlanesError
from planes.model.names import NETPLANE_NAMESPACE
from planes.model.objects import Nad, NadRef
from planes.model.spec.plane import parse_stored_plane
from planes.model.spec.plane_spec import Plane
from planes.model.spec.render import plane_nad
from planes.model.wire.netconf import ConfList, NetConf, parse_conflist

MOST_NETWORKS: Final = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class KnownNetwork:
    """One network; two are equal only if they are the same.

    Attributes:
        title: as texts name it, e.g. `plane storage` or `NAD shop/db`.
        edit: the command by which its author changes it.
        conflist: its configuration.
        plane: the plane that it is of; None for a NAD of no plane and for the default network.
        is_default: it is the default network of the node.
    """

    title: str
    edit: str
    conflist: ConfList
    plane: Plane | None = None
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class LinkNeed:
    """A link of the host that a plugin of a network needs.

    Attributes:
        type: of the plugin.
        name: of the link, "" for that of the default route.
        mtu: that its interfaces get; 0 where the kernel chooses.
        mac: of the link, where the network names it so.
        device: PCI address or path below /sys/devices, where the network names it so.
    """

    network: KnownNetwork
    type: str
    use: LinkUse
    name: str
    mtu: int = 0
    mac: str = ""
    device: str = ""

    @property
    def is_by_device(self) -> bool:
        """Whether the link is named by its MAC or its device."""
        return bool(self.mac or self.device)


@dataclass(frozen=True, slots=True)
class KnownNetworks:
    """All networks.

    Attributes:
        problems: what could not be read, one line each.
    """

    networks: tuple[KnownNetwork, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def planes(self) -> tuple[Plane, ...]:
        """The planes among them."""
        return tuple(one.plane for one in self.networks if one.plane is not None)


async def read_networks(api: ReadApi, manifests: str = "") -> KnownNetworks:
    """Read planes and NADs; those that cannot be read are problems, not errors.

    Args:
        api: of a cluster, or of manifests.
        manifests: the directory of manifests, "" on a cluster.

    Raises:
        PlanesError: they cannot be listed.
    """
    planes = [obj async for page in api.pages(Query(PLANES)) for obj in page.items]
    nads = [obj async for page in api.pages(Query(NADS)) for obj in page.items]
    return networks_of(planes[:MOST_NETWORKS], nads[:MOST_NETWORKS], manifests)


def networks_of(
    planes: Iterable[JsonObject], nads: Iterable[JsonObject], manifests: str = ""
) -> KnownNetworks:
    """Return the networks of planes and NADs, as their objects describe them.

    Args:
        planes: objects of the kind Plane.
        nads: objects of the kind NetworkAttachmentDefinition.
        manifests: the directory that they are from, "" on a cluster.
    """
    problems: list[str] = []
    found = _nads(nads, problems)
    by_ref: dict[NadRef, Plane] = {}
    for obj in planes:
        try:
            plane = parse_stored_plane(obj)
        except PlanesError as error:
            problems.append(error.message)
            continue
        rendered = plane_nad(plane)
        if rendered is not None:
            found[plane.ref] = rendered
        by_ref.setdefault(plane.ref, plane)
    networks = []
    for ref, nad in found.items():
        plane_of = by_ref.get(ref)
        if nad.config and (plane_of is not None or nad.namespace != NETPLANE_NAMESPACE):
            try:
                conflist = parse_conflist(nad.config, default_name=nad.name, what=f"NAD {ref}")
            except PlanesError as error:
                problems.append(error.message)
                continue
            networks.append(_network(nad, conflist, plane_of, manifests))
    return KnownNetworks(tuple(networks), tuple(problems))


def with_default(known: KnownNetworks, default: ConfList | None, directory: str) -> KnownNetworks:
    """Add the default network of the CNI conf dir, where there is one."""
    if default is None:
        return known
    title, edit = f"default network {default.name}", f"edit its file in {directory}"
    network = KnownNetwork(title, edit, default, is_default=True)
    return replace(known, networks=(*known.networks, network))


def plugins_of(networks: Iterable[KnownNetwork]) -> Iterator[tuple[KnownNetwork, NetConf]]:
    """Yield all plugins of all networks."""
    for network in networks:
        for plugin in network.conflist.plugins:
            yield network, plugin


def link_needs(networks: Iterable[KnownNetwork]) -> Iterator[LinkNeed]:
    """Yield the links that networks need, without those of the default network."""
    for network, plugin in plugins_of(networks):
        if network.is_default:
            continue
        mtu = plugin.fields().raw("mtu")
        size = mtu if isinstance(mtu, int) and not isinstance(mtu, bool) and mtu > 0 else 0
        alone = replace(network.conflist, plugins=(plugin,))
        for uplink in uplinks_in(alone):
            yield LinkNeed(network, plugin.type, uplink.use, uplink.name, size)
        if plugin.type == "host-device" and not plugin.fields().raw("device"):
            yield from _by_device(network, plugin)


def _by_device(network: KnownNetwork, plugin: NetConf) -> Iterator[LinkNeed]:
    fields = plugin.fields()
    mac, device = fields.raw("hwaddr"), fields.raw("pciBusID") or fields.raw("kernelpath")
    if isinstance(mac, str) and mac:
        yield LinkNeed(network, plugin.type, LinkUse.MOVED, "", mac=mac.lower())
    elif isinstance(device, str) and device:
        yield LinkNeed(network, plugin.type, LinkUse.MOVED, "", device=device)


def with_names(needs: Iterable[LinkNeed], survey: HostSurvey, root: str) -> Iterator[LinkNeed]:
    """Yield needs by the names that links have now; one whose device has no link is left out.

    Args:
        needs: of networks.
        survey: of the node's links.
        root: the directory under which the node's /sys is; "" for this process's own.
    """
    for need in needs:
        if not need.is_by_device:
            yield need
            continue
        if need.mac:
            links = survey.links.values()
            names = [one.name for one in links if one.link.mac == need.mac]
        else:
            names = _links_of(need.device, root)
        yield from (replace(need, name=name, mac="", device="") for name in names)


def _links_of(device: str, root: str) -> list[str]:
    """Return the links of a device itself: those of its physical function are not moved."""
    is_path = device.startswith("/")
    found = links_of_path(device, root) if is_path else links_of_device(device, root)
    of_physical = links_of_physical(device.rstrip("/").rpartition("/")[2], root)
    return [name for name in found if name not in of_physical]


def _nads(objects: Iterable[JsonObject], problems: list[str]) -> dict[NadRef, Nad]:
    found: dict[NadRef, Nad] = {}
    for obj in islice(objects, MOST_NETWORKS):
        try:
            nad = Nad.from_object(obj, "default")
        except PlanesError as error:
            problems.append(error.message)
            continue
        found.setdefault(nad.ref, nad)
    return found


def _network(nad: Nad, conflist: ConfList, plane: Plane | None, manifests: str) -> KnownNetwork:
    title = f"NAD {nad.ref}" if plane is None else f"plane {plane.name}"
    if manifests:
        return KnownNetwork(title, f"edit {title} in {manifests}", conflist, plane)
    if plane is not None and plane.network is not None:
        return KnownNetwork(title, f"kubectl edit plane {plane.name}", conflist, plane)
    edit = f"kubectl -n {nad.namespace} edit network-attachment-definition {nad.name}"
    return KnownNetwork(title, edit, conflist, plane)
