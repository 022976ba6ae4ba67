"""VRFs of a sandbox: a link joins one with its addresses and routes, and leaves it.

While a link joins, the kernel takes it down and up again. It then has lost its routes through
gateways, and IPv6 addresses unless `keep_addr_on_down` is set: both are read before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count

from cni.net.addresses import add_address, get_addresses, read_addresses
from cni.net.channel import Channel
from cni.net.link_changes import delete_link, set_master
from cni.net.links import Link, get_link, get_links, read_links
from cni.net.netlink import NetlinkRequest
from cni.net.new_links import new_vrf
from cni.net.rtnetlink import RT_SCOPE_UNIVERSE
from cni.net.table_moves import read_routes, to_table
from planes.model.addresses import IPInterface
from planes.model.errors import Conflict, NotFound
from planes.model.names import shown

VRF_KIND = "vrf"


@dataclass(frozen=True, slots=True)
class Joined:
    """A link that has joined a VRF.

    Attributes:
        routes: the requests that add its routes to the table of the VRF, once its addresses have
            settled.
        has_ipv6: whether it has IPv6 addresses beside link-local ones.
    """

    link: Link
    routes: tuple[NetlinkRequest, ...]
    has_ipv6: bool


def join_vrf(channel: Channel, ifname: str, name: str, table: int) -> Joined:
    """Add a link to a VRF, which is created where it is missing.

    Args:
        channel: in the sandbox.
        ifname: the link.
        name: of the VRF.
        table: its routing table; 0 for that of an existing VRF, else the first that no VRF has.

    Raises:
        NotFound: there is no such link.
        Conflict: the link has a master, the VRF another table, or its name is another link's.
        PlanesError: the kernel refuses; nothing has changed then.
    """
    links = read_links(channel.dump(get_links()))
    link = _joining(links, ifname)
    vrf = _existing(links, name, table)
    addresses = _ipv6(channel, link)
    routes = read_routes(channel, link)
    try:
        if vrf is None:
            channel.batch([new_vrf(name, table or _free_table(links))])
            vrf = read_links(channel.batch([get_link(name)])[0])[0]
        channel.batch([set_master(link, vrf)])
        kept = _ipv6(channel, link)
        lost = (address for address in addresses if address not in kept)
        channel.batch([add_address(link.index, ifname, str(address)) for address in lost])
    except BaseException:
        leave_vrf(channel, ifname, name)
        raise
    return Joined(link, tuple(to_table(routes, vrf.data, name)), bool(addresses))


def leave_vrf(channel: Channel, ifname: str, name: str) -> None:
    """Take a link out of a VRF, and remove the VRF where no other link is in it.

    A missing link, a missing VRF and one that the link is not in are fine.

    Raises:
        PlanesError: the kernel refuses.
    """
    links = read_links(channel.dump(get_links()))
    vrf = next((one for one in links if one.name == name and one.kind == VRF_KIND), None)
    if vrf is None:
        return
    members = [one for one in links if one.master == vrf.index]
    channel.batch([set_master(one, None) for one in members if one.name == ifname])
    if all(one.name == ifname for one in members):
        channel.batch([delete_link(name)])


def _joining(links: Iterable[Link], ifname: str) -> Link:
    links = tuple(links)
    link = next((one for one in links if one.name == ifname), None)
    if link is None:
        raise NotFound(
            f"cannot find interface {ifname} in the sandbox",
            remedy="put vrf behind a plugin that makes the interface",
        )
    if link.master:
        master = next((one.name for one in links if one.index == link.master), "another link")
        raise Conflict(
            f"cannot add {ifname} to a VRF: it belongs to {master} already",
            remedy="name one VRF for each interface",
        )
    return link


def _existing(links: Iterable[Link], name: str, table: int) -> Link | None:
    vrf = next((one for one in links if one.name == name), None)
    if vrf is not None and vrf.kind != VRF_KIND:
        raise Conflict(
            f"cannot use {shown(name)} as a VRF: the sandbox has an interface of that name",
            remedy="choose another vrfname",
        )
    if vrf is not None and table not in {0, vrf.data}:
        raise Conflict(
            f"cannot use table {table} for VRF {name}: it is there with table {vrf.data}",
            remedy="give all networks of the VRF the same table, or name another vrfname",
        )
    return vrf


def _free_table(links: Iterable[Link]) -> int:
    taken = {one.data for one in links if one.kind == VRF_KIND}
    return next(table for table in count(1) if table not in taken)


def _ipv6(channel: Channel, link: Link) -> tuple[IPInterface, ...]:
    return tuple(_global(channel, link))


def _global(channel: Channel, link: Link) -> Iterator[IPInterface]:
    for one in read_addresses(channel.dump(get_addresses(link.index, 6)), link.index):
        if one.scope == RT_SCOPE_UNIVERSE:
            yield one.address
