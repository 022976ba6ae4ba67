"""The host side of a bridge attachment: the bridge, its port, the gateway and its address.

An existing bridge is used as it is: only promiscuous mode is ever switched on. A bridge with VLANs
has its gateway addresses on a veth whose other end is a port of the VLAN.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cni.net import sysctls
from cni.net.addresses import add_address, delete_address, get_addresses, read_addresses
from cni.net.bridge_vlans import PortVlans
from cni.net.if_link import IFF_PROMISC, IFF_UP, OPERSTATE_UP
from cni.net.link_changes import delete_link, set_bridge_port, set_flags, set_mac
from cni.net.links import Link, find_link, get_link, get_link_at, read_links
from cni.net.new_links import Placement, new_bridge, new_veth
from cni.net.placement import place, random_mac, random_name
from cni.net.workers import OpenSandbox, Worker
from planes.model.addresses import IPInterface
from planes.model.errors import Conflict

_NO_MAC = "00:00:00:00:00:00"


@dataclass(frozen=True, slots=True)
class BridgePort:
    """The bridge, and the options of the host end of a veth pair as its port.

    Attributes:
        is_pinned: whether a bridge that is made has a MAC of its own, instead of a port's.
    """

    bridge: str
    mtu: int = 0
    is_promiscuous: bool = False
    is_hairpin: bool = False
    is_isolated: bool = False
    is_pinned: bool = False
    vlans: PortVlans = field(default_factory=PortVlans)

    @property
    def vlan_gateway(self) -> str:
        """Return the name of the host interface with the gateway addresses of the access VLAN."""
        return f"{self.bridge}.{self.vlans.access}"


def ensure_bridge(worker: Worker, port: BridgePort) -> Link:
    """Find the bridge or make it, and bring it up.

    Raises:
        Conflict: a link of another kind has its name.
        PlanesError: the kernel refuses.
    """
    host = worker.host
    found = read_links(host.batch([find_link(port.bridge)])[0])
    if not found:
        # Pinned later, each of several first ADDs would pin, and report, the MAC that it finds.
        mac = random_mac() if port.is_pinned else ""
        made = new_bridge(port.bridge, port.mtu, mac, is_filtering=port.vlans.makes_filter)
        answers = host.batch([made, get_link(port.bridge)])
        found = read_links(answers[-1])
    bridge = found[0]
    if bridge.kind != "bridge":
        raise Conflict(
            f"cannot use bridge {port.bridge}: it already exists but is not a bridge",
            remedy='choose another name in "bridge"',
        )
    requests = []
    if port.is_promiscuous and not bridge.flags & IFF_PROMISC:
        requests.append(set_flags(bridge, IFF_PROMISC))
    sysctls.try_write(f"ipv6/conf/{bridge.name}/accept_ra", "0")
    if not bridge.is_up:
        requests.append(set_flags(bridge, IFF_UP))
    if requests:
        host.batch(requests)
    return bridge


def add_port(
    worker: Worker, sandbox: OpenSandbox, ifname: str, mac: str, port: BridgePort
) -> tuple[Link, str]:
    """Create a veth pair with one end in the sandbox; return the bridge and the host end's name.

    Raises:
        Conflict: the sandbox has an interface of that name.
        PlanesError: the kernel refuses.
    """
    bridge = ensure_bridge(worker, port)
    host_name = random_name()
    to = Placement(ifname, sandbox.fd, mac, port.mtu)
    place(worker.host, sandbox, to, lambda at: new_veth(at, host_name=host_name, bridge=bridge))
    try:
        _set_port(worker, host_name, port)
    except BaseException:
        worker.host.batch([delete_link(host_name)])
        raise
    return bridge, host_name


def _set_port(worker: Worker, host_name: str, port: BridgePort) -> None:
    """Write the options of a new port; the other end is down, so no frame has passed yet."""
    sysctls.try_write(f"ipv6/conf/{host_name}/accept_ra", "0")
    requests = []
    if port.is_hairpin or port.is_isolated:
        hairpin, isolated = port.is_hairpin, port.is_isolated
        requests.append(set_bridge_port(host_name, is_hairpin=hairpin, is_isolated=isolated))
    if port.vlans.access or port.vlans.trunk:
        requests += port.vlans.requests(find_here(worker, host_name))
    worker.host.batch(requests)


def ensure_vlan_gateway(worker: Worker, bridge: Link, port: BridgePort) -> Link:
    """Find the interface with the gateway addresses of a VLAN, or make it.

    It is one end of a veth pair; the other is a port of the bridge in this VLAN. It stays, as the
    bridge does.

    Raises:
        Conflict: another interface has its name.
        PlanesError: the kernel refuses.
    """
    name, host = port.vlan_gateway, worker.host
    found = read_links(host.batch([find_link(name)])[0])
    if not found:
        _make_vlan_gateway(worker, bridge, port)
        found = [find_here(worker, name)]
    gateway = found[0]
    lower = read_links(host.batch([get_link_at(gateway.parent)])[0]) if gateway.parent else []
    is_port = gateway.kind == "veth" and any(one.master == bridge.index for one in lower)
    if not is_port and not (gateway.kind == "vlan" and gateway.parent == bridge.index):
        raise Conflict(
            f"cannot use {name} as the gateway of bridge {bridge.name}: it exists, and does not"
            " lead to this bridge",
            remedy=f"rename {name} on the node, or choose another bridge",
        )
    if not gateway.is_up:
        host.batch([set_flags(gateway, IFF_UP)])
    return gateway


def _make_vlan_gateway(worker: Worker, bridge: Link, port: BridgePort) -> None:
    """Make the pair; one that another ADD has made meanwhile is fine."""
    peer_name = random_name()
    to = Placement(port.vlan_gateway, netns_fd=-1, mtu=bridge.mtu)
    made = new_veth(to, host_name=peer_name, bridge=bridge)
    worker.host.batch([replace(made, tolerate=frozenset({errno.EEXIST}))])
    if not read_links(worker.host.batch([find_link(peer_name)])[0]):
        return
    try:
        _set_port(worker, peer_name, BridgePort(bridge.name, vlans=port.vlans.access_only()))
    except BaseException:
        worker.host.batch([delete_link(peer_name)])
        raise


def find_here(worker: Worker, name: str) -> Link:
    """Find a link of the host.

    Raises:
        NotFound: there is none.
    """
    return read_links(worker.host.batch([get_link(name)])[0])[0]


def look_at_port(worker: Worker, bridge: str, host_name: str, mac: str = "") -> tuple[Link, Link]:
    """Return a bridge and a port of it as they are now.

    Args:
        worker: in whose thread this runs.
        bridge: its name.
        host_name: of the port.
        mac: the bridge's before the port was added, where it must keep that: a bridge without a
            MAC of its own takes the lowest of its ports. "" otherwise.

    Raises:
        NotFound: one of them is gone.
    """
    answers = worker.host.batch([get_link(bridge), get_link(host_name)])
    (found,), (port,) = map(read_links, answers)
    if mac not in {"", _NO_MAC, found.mac}:
        worker.host.batch([set_mac(found, mac)])
        found = replace(found, mac=mac)
    return found, port


def be_gateway(
    worker: Worker, link: Link, gateways: Sequence[IPInterface], *, is_forced: bool
) -> None:
    """Add the gateway addresses to a bridge, and switch forwarding on for their families.

    Args:
        worker: in whose thread this runs.
        link: the bridge, or the gateway interface of its VLAN.
        gateways: addresses with prefix length.
        is_forced: whether addresses in the way are removed.

    Raises:
        Conflict: the bridge has another address, which must stay.
        PlanesError: the kernel refuses.
    """
    for version in (4, 6):
        ours = [one for one in gateways if one.version == version]
        for gateway in ours:
            _ensure_address(worker, link, gateway, is_forced=is_forced)
        if ours:
            sysctls.forward(version)


def _ensure_address(worker: Worker, bridge: Link, gateway: IPInterface, *, is_forced: bool) -> None:
    host = worker.host
    found = read_addresses(host.dump(get_addresses(bridge.index, gateway.version)), bridge.index)
    requests = []
    for one in (each.address for each in found):
        if one == gateway:
            return
        if one.version == 6 and not one.network.overlaps(gateway.network):
            continue
        if not is_forced:
            raise Conflict(
                f"cannot use bridge {bridge.name}: it already has an IP address different from"
                f" {gateway}",
                remedy='set "forceAddress" to replace it, or choose another bridge',
            )
        requests.append(delete_address(bridge.index, bridge.name, str(one)))
    add = add_address(bridge.index, bridge.name, str(gateway))
    # Another ADD on this bridge may have been faster.
    requests.append(replace(add, tolerate=frozenset({errno.EEXIST})))
    # Pinned, the MAC no longer follows the ports. One that has lost its ports has none to pin.
    mac = bridge.mac if bridge.mac != _NO_MAC else find_here(worker, bridge.name).mac
    requests.append(set_mac(bridge, mac))
    host.batch(requests)


def is_forwarding(link: Link) -> bool:
    """Report whether a bridge port forwards frames."""
    return link.operstate == OPERSTATE_UP
