"""The links of the host with names, states, addresses and the links below them, for diagnosis.

Reads netlink once and /sys for what netlink does not show; blocks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from cni.net.addresses import get_addresses, read_addresses
from cni.net.channel import Channel
from cni.net.host_links import read_link_message
from cni.net.if_link import RTM_NEWLINK
from cni.net.links import Link, get_links, read_links
from cni.net.node_uplinks import default_links
from planes.model.addresses import IPInterface

_MOST_LISTED: Final = 1 << 17
_OF_PODS: Final = frozenset({"veth", "tun"})
"""Kinds of bridge ports that lead to pods, not out of the node."""
_ON_PARENT: Final = frozenset({"vlan", "macvlan", "macvtap", "ipvlan", "ipvtap"})


@dataclass(frozen=True, slots=True)
class SurveyedLink:
    """One link of the host.

    Attributes:
        link: as the kernel shows it.
        names: its name, then its alternative names.
        addresses: with the lengths of their prefixes.
        is_wireless: it is a station or access point of a wireless network.
        filters_vlans: of a bridge whether it keeps VLANs apart.
    """

    link: Link
    names: tuple[str, ...]
    addresses: tuple[IPInterface, ...] = ()
    is_wireless: bool = False
    filters_vlans: bool = False

    @property
    def name(self) -> str:
        """Its first name."""
        return self.names[0]


class HostSurvey:
    """All links of the host.

    Args:
        links: by no order.
        defaults: indexes of the links of default routes.

    Attributes:
        links: by index.
        defaults: see above.
    """

    def __init__(self, links: tuple[SurveyedLink, ...], defaults: frozenset[int]) -> None:
        self.links: Mapping[int, SurveyedLink] = {one.link.index: one for one in links}
        self.defaults = defaults
        self._by_name = {name: one for one in links for name in one.names}

    def find(self, name: str) -> SurveyedLink | None:
        """Return a link by any of its names; by "" that of a default route."""
        if name:
            return self._by_name.get(name)
        return next((self.links[one] for one in sorted(self.defaults) if one in self.links), None)

    def master_of(self, link: SurveyedLink) -> SurveyedLink | None:
        """Return the bridge, bond or other link that a link is a port of."""
        return self.links.get(link.link.master) if link.link.master else None

    def ports_of(self, link: SurveyedLink) -> tuple[SurveyedLink, ...]:
        """Return the ports of a link that lead out of the node."""
        return tuple(
            one
            for one in self.links.values()
            if one.link.master == link.link.index and one.link.kind not in _OF_PODS
        )

    def path_of(self, link: SurveyedLink) -> tuple[SurveyedLink, ...]:
        """Return a link with all that its frames pass on their way out of the node, in order."""
        found: dict[int, SurveyedLink] = {}
        left = [link]
        while left:
            at = left.pop(0)
            if at.link.index not in found:
                found[at.link.index] = at
                left += self._below(at)
        return tuple(found.values())

    def _below(self, link: SurveyedLink) -> Iterator[SurveyedLink]:
        parent = self.links.get(link.link.parent)
        if parent is not None and link.link.kind in _ON_PARENT:
            yield parent
        yield from self.ports_of(link)


def survey_host(root: str = "") -> HostSurvey:
    """Read the links of the namespace that the calling thread is in.

    Args:
        root: the directory under which the host's /sys is; "" for this process's own.

    Raises:
        PlanesError: the kernel refuses, or there is too much to list.
    """
    channel = Channel(most=_MOST_LISTED)
    try:
        answers = channel.dump(get_links())
        names = {
            one.index: one.names
            for one in (read_link_message(m.payload) for m in answers if m.kind == RTM_NEWLINK)
        }
        addresses: dict[int, list[IPInterface]] = {}
        for found in read_addresses(channel.dump(get_addresses())):
            addresses.setdefault(found.link, []).append(found.address)
        defaults = default_links(channel)
    finally:
        channel.close()
    links = tuple(
        SurveyedLink(
            link,
            names.get(link.index, (link.name,)),
            tuple(addresses.get(link.index, ())),
            is_wireless=_has(root, link.name, "phy80211") or _has(root, link.name, "wireless"),
            filters_vlans=link.kind == "bridge" and _filters(root, link.name),
        )
        for link in read_links(answers)
    )
    return HostSurvey(links, defaults)


def _has(root: str, name: str, entry: str) -> bool:
    return os.path.lexists(f"{root}/sys/class/net/{name}/{entry}")


def _filters(root: str, name: str) -> bool:
    with suppress(OSError):
        fd = os.open(f"{root}/sys/class/net/{name}/bridge/vlan_filtering", os.O_RDONLY)
        try:
            return os.read(fd, 8).strip() == b"1"
        finally:
            os.close(fd)
    return False
