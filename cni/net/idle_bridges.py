"""Bridges that we made for networks of tenants: known by their link group, removed when idle.

Invariant: nothing is removed that somebody else made, that anything stands on, or that was given an
address. Whoever wants to keep such a bridge puts it into another group.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from typing import Final

from cni.net.addresses import get_addresses, read_addresses
from cni.net.links import delete_link, find_link, get_links, read_links, set_group
from cni.net.workers import Worker

GROUP: Final = 0x6E706272


def absent(worker: Worker, names: Sequence[str]) -> tuple[str, ...]:
    """Give those names that no link of the host has.

    Raises:
        PlanesError: the kernel refuses.
    """
    answers = worker.host.batch([find_link(name) for name in names])
    return tuple(
        name for name, answer in zip(names, answers, strict=True) if not read_links(answer)
    )


def adopt(worker: Worker, names: Sequence[str], in_use: Callable[[], Set[str]]) -> tuple[str, ...]:
    """Note that bridges are ours, and remove those of ours that are idle; their names.

    Args:
        worker: works on the host.
        names: of links that were absent before a plugin ran; what is no bridge now is left alone.
        in_use: names of bridges that attachments stand on, in other namespaces too.

    Raises:
        PlanesError: the kernel refuses.
    """
    host = worker.host
    links = read_links(host.dump(get_links()))
    made = [link.name for link in links if link.name in names and link.kind == "bridge"]
    if made:
        host.batch([set_group(name, GROUP) for name in made])
    below = {link.master for link in links}
    below |= {link.parent for link in links if not link.is_parent_elsewhere}
    idle = [link for link in links if link.group == GROUP and link.index not in below]
    if not idle:
        return ()
    addressed = {
        each.link
        for each in read_addresses(host.dump(get_addresses()))
        if not each.address.is_link_local
    }
    used = {*names, *in_use()}
    gone = [one.name for one in idle if one.index not in addressed and one.name not in used]
    for name in gone:
        host.batch([delete_link(name)])
    return tuple(gone)
