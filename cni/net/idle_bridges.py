"""Bridges that we made for networks of tenants: marked by a link group, removed when idle.

Invariant: only a marked bridge without ports, upper links and addresses is removed. An
administrator keeps one by putting it into another group.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from typing import Final, Protocol

from cni.net.addresses import get_addresses, read_addresses
from cni.net.kernel import Kernel
from cni.net.link_changes import delete_link, set_group
from cni.net.links import find_link, get_links, read_links
from cni.net.workers import Worker

GROUP: Final = 0x6E706272


def absent(worker: Worker, names: Sequence[str]) -> tuple[str, ...]:
    """Return those names that no link of the host has.

    Raises:
        PlanesError: the kernel refuses.
    """
    answers = worker.host.batch([find_link(name) for name in names])
    return tuple(
        name for name, answer in zip(names, answers, strict=True) if not read_links(answer)
    )


def adopt(worker: Worker, names: Sequence[str], in_use: Callable[[], Set[str]]) -> tuple[str, ...]:
    """Mark bridges as ours, and remove those of ours that are idle; return the names of these.

    Args:
        worker: in whose thread this runs.
        names: of links that were absent before a plugin ran; only bridges are marked.
        in_use: returns the names of bridges that attachments use.

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


class HostBridges(Protocol):
    """Marks and removes bridges of the host."""

    async def absent(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return those names that no link of the host has; raises PlanesError."""
        ...

    async def adopt(self, names: Sequence[str], in_use: Callable[[], Set[str]]) -> tuple[str, ...]:
        """Note that bridges are ours and remove those of ours that are idle; raises PlanesError."""
        ...


class KernelBridges:
    """Does it in the kernel, by `absent` and `adopt`."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    async def absent(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return names without a link; see `HostBridges.absent`."""
        return await self._kernel.run(lambda worker: absent(worker, names))

    async def adopt(self, names: Sequence[str], in_use: Callable[[], Set[str]]) -> tuple[str, ...]:
        """Mark bridges and remove idle ones; see `HostBridges.adopt`."""
        return await self._kernel.run(lambda worker: adopt(worker, names, in_use))
