"""Whether the links of the host that attachments use can pass frames.

On a master without carrier a pod runs and reaches nothing. Which state counts as dead depends on
what a plugin does with the link: see `LinkUse`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from cni.net.addresses import default_device, get_routes
from cni.net.channel import Channel
from cni.net.host_devices import links_of_physical
from cni.net.links import Link, find_link, get_link_at, get_ports, read_links
from cni.net.workers import Worker

_OF_PODS: Final = frozenset({"veth", "tun"})
"""Kinds of bridge ports that lead to pods, not out of the node."""
_WITH_PORTS: Final = frozenset({"bridge", "bond", "team"})
_MAX_DEPTH: Final = 8


class LinkUse(Enum):
    """What an attachment does with a link of the host."""

    MASTER = auto()
    """An interface is made on it (macvlan, ipvlan, vlan): it must be up and have a carrier."""
    MOVED = auto()
    """It is moved into the sandbox (host-device), and brought up there: down is no fault."""
    BRIDGE = auto()
    """It is a bridge that gets a port; the plugin makes it and brings it up. Only its uplinks
    count: a bridge without one is a network of the node alone."""
    FUNCTION = auto()
    """A virtual function, named by PCI address: its physical function must be up."""


@dataclass(frozen=True, slots=True)
class Uplink:
    """A link of the host by its name, "" for that of the default route."""

    use: LinkUse
    name: str


@dataclass(frozen=True, slots=True)
class DeadLink:
    """A link that passes no frames.

    Attributes:
        name: of the link at fault: of a VLAN interface it may be the one below it.
        is_up: whether it is administratively up.
        uplinks: of a bridge or bond its ports out of the node, none of which passes frames.
    """

    name: str
    is_up: bool
    uplinks: tuple[str, ...] = ()


def dead_links(
    worker: Worker, uplinks: Iterable[Uplink], root: str = ""
) -> Mapping[Uplink, DeadLink]:
    """Return the uplinks that cannot pass frames; one that does not exist is the plugin's error.

    Raises:
        PlanesError: the kernel refuses.
    """
    host = worker.host
    names = {one: _name_of(host, one, root) for one in uplinks}
    asked = [name for name in dict.fromkeys(names.values()) if name]
    answers = host.batch([find_link(name) for name in asked]) if asked else []
    links = {name: read_links(answer) for name, answer in zip(asked, answers, strict=True)}
    found = {}
    for one, name in names.items():
        for link in links.get(name, ()):
            dead = _dead(host, one.use, link)
            if dead is not None:
                found[one] = dead
    return found


def _name_of(host: Channel, uplink: Uplink, root: str) -> str:
    if uplink.use is LinkUse.FUNCTION:
        return next(iter(links_of_physical(uplink.name, root)), "")
    if uplink.name or uplink.use is not LinkUse.MASTER:
        return uplink.name
    for version in (4, 6):
        index = default_device(host.dump(get_routes(version)))
        if index:
            return next((link.name for link in _at(host, index)), "")
    return ""


def _dead(host: Channel, use: LinkUse, link: Link) -> DeadLink | None:
    if use is LinkUse.BRIDGE:
        uplinks = list(_uplinks(host, link))
        is_dead = uplinks and not any(one.is_up and one.has_carrier for one in uplinks)
        return _of_ports(link, uplinks) if is_dead else None
    if use is LinkUse.MOVED and not link.is_up:
        return None
    return None if link.is_up and link.has_carrier else _lowest(host, link)


def _lowest(host: Channel, link: Link) -> DeadLink:
    """Return the link at fault: the lowest one below a link that is dead, too."""
    for _ in range(_MAX_DEPTH):
        if link.is_up and link.kind in _WITH_PORTS:
            return _of_ports(link, list(_uplinks(host, link)))
        below = [] if link.is_parent_elsewhere or not link.parent else _at(host, link.parent)
        if link.kind == "veth" or not below or (below[0].is_up and below[0].has_carrier):
            break
        link = below[0]
    return DeadLink(link.name, link.is_up)


def _of_ports(link: Link, uplinks: list[Link]) -> DeadLink:
    """Return a bridge or bond as dead because of its ports; of a single port that one."""
    if len(uplinks) == 1:
        return DeadLink(uplinks[0].name, uplinks[0].is_up)
    return DeadLink(link.name, is_up=True, uplinks=tuple(one.name for one in uplinks))


def _uplinks(host: Channel, link: Link) -> Iterator[Link]:
    """Yield the ports of a bridge or bond that lead off the node.

    Ports of pods come and go all the time on a busy node; these do not.
    """
    ports = read_links(host.dump(get_ports(link), may_be_torn=True))
    for port in {one.index: one for one in ports}.values():
        if port.master == link.index and port.kind not in _OF_PODS:
            yield port


def _at(host: Channel, index: int) -> list[Link]:
    return read_links(host.batch([get_link_at(index)])[0])
