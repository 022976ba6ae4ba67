"""The host side of a bridge attachment: the bridge, its address, forwarding, the port's state.

An existing bridge is used as it is: only promiscuous mode is ever switched on.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cni.net import sysctls
from cni.net.addresses import add_address, delete_address, get_addresses, read_addresses
from cni.net.links import (
    IFF_PROMISC,
    IFF_UP,
    OPERSTATE_UP,
    Link,
    Placement,
    find_link,
    get_link,
    new_bridge,
    new_veth,
    read_links,
    set_bridge_port,
    set_flags,
    set_mac,
)
from cni.net.placement import place, random_mac, random_name
from cni.net.workers import Sandbox, Worker
from planes.model.addresses import IPInterface
from planes.model.errors import Conflict

_NO_MAC = "00:00:00:00:00:00"
_FORWARDING = {4: "ipv4/ip_forward", 6: "ipv6/conf/all/forwarding"}


@dataclass(frozen=True, slots=True)
class Port:
    """How the host end of a pair sits on its bridge.

    Attributes:
        is_pinned: a bridge that is made keeps the MAC it is made with.
    """

    bridge: str
    mtu: int = 0
    is_promiscuous: bool = False
    is_hairpin: bool = False
    is_isolated: bool = False
    is_pinned: bool = False


def ensure_bridge(worker: Worker, port: Port) -> Link:
    """Find the bridge, or make it, and have it up.

    Raises:
        Conflict: something else has its name.
        PlanesError: the kernel refuses.
    """
    host = worker.host
    found = read_links(host.batch([find_link(port.bridge)])[0])
    if not found:
        # Pinned later, each of several first ADDs would pin, and tell, the MAC it happened to see.
        mac = random_mac() if port.is_pinned else ""
        answers = host.batch([new_bridge(port.bridge, port.mtu, mac), get_link(port.bridge)])
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
    worker: Worker, sandbox: Sandbox, ifname: str, mac: str, port: Port
) -> tuple[Link, str]:
    """Create a pair with one end in the sandbox; the bridge, and the name of the host end.

    Raises:
        Conflict: the sandbox has an interface of that name.
        PlanesError: the kernel refuses.
    """
    bridge = ensure_bridge(worker, port)
    host_name = random_name()
    to = Placement(ifname, sandbox.fd, mac, port.mtu)
    place(worker, sandbox, to, lambda at: new_veth(at, host_name=host_name, bridge=bridge))
    sysctls.try_write(f"ipv6/conf/{host_name}/accept_ra", "0")
    if port.is_hairpin or port.is_isolated:
        link = find_here(worker, host_name)
        request = set_bridge_port(link, is_hairpin=port.is_hairpin, is_isolated=port.is_isolated)
        worker.host.batch([request])
    return bridge, host_name


def find_here(worker: Worker, name: str) -> Link:
    """Find a link of the host.

    Raises:
        NotFound: there is none.
    """
    return read_links(worker.host.batch([get_link(name)])[0])[0]


def look_at_port(worker: Worker, bridge: str, host_name: str) -> tuple[Link, Link]:
    """Give a bridge and a port of it as they are now.

    Raises:
        NotFound: one of them is gone.
    """
    answers = worker.host.batch([get_link(bridge), get_link(host_name)])
    found = [link for answer in answers for link in read_links(answer)]
    return found[0], found[1]


def be_gateway(
    worker: Worker, bridge: Link, gateways: Sequence[IPInterface], *, is_forced: bool
) -> None:
    """Give the bridge its addresses and switch forwarding on for their families.

    Raises:
        Conflict: the bridge has another address and may not lose it.
        PlanesError: the kernel refuses.
    """
    for version in (4, 6):
        ours = [one for one in gateways if one.version == version]
        for gateway in ours:
            _ensure_address(worker, bridge, gateway, is_forced=is_forced)
        if ours:
            sysctls.ensure(_FORWARDING[version], "1")


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
    # Somebody else's ADD on this bridge may have been faster.
    requests.append(replace(add, tolerate=frozenset({errno.EEXIST})))
    # Pinned, the MAC no longer follows the ports. One that has lost its ports has none to pin.
    mac = bridge.mac if bridge.mac != _NO_MAC else find_here(worker, bridge.name).mac
    requests.append(set_mac(bridge, mac))
    host.batch(requests)


def is_forwarding(link: Link) -> bool:
    """Say whether a bridge port carries traffic."""
    return link.operstate == OPERSTATE_UP
