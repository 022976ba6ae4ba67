"""Masquerading of an attachment's traffic to the world, by whichever backend.

Taking away needs neither the link nor its addresses, and looks into both backends: the attachment
may have been made under another configuration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cni.native import iptables, nftables
from cni.net.execute import Tools
from cni.net.kernel import Kernel
from planes.model.addresses import IPInterface
from planes.model.errors import BadInput, NotFound
from planes.run.locks import KeyedLocks

BACKENDS = ("iptables", "nftables")


@dataclass(frozen=True, slots=True)
class Masqueraded:
    """Whose traffic: one attachment and its addresses, none where they are not known."""

    network: str
    ifname: str
    container_id: str
    addresses: Sequence[IPInterface] = ()


class Masquerade:
    """The rules on the host of one kernel.

    Args:
        kernel: has the threads that are in the host's namespace.
        tools: the host's packet filter tools.
    """

    def __init__(self, kernel: Kernel, tools: Tools) -> None:
        self._kernel = kernel
        self._tools = tools
        # Interfaces of one sandbox share a chain: who adds must know whether it is there.
        self._sandboxes = KeyedLocks()

    async def add(self, who: Masqueraded, backend: str) -> None:
        """Add the rules; those that are there already stay.

        Args:
            who: whose traffic.
            backend: "iptables", "nftables", or "" for the first that works here.

        Raises:
            BadInput: there is no such backend.
            PlanesError: the tool fails.
        """
        if backend and backend not in BACKENDS:
            raise BadInput(
                f"cannot masquerade: there is no backend {backend!r}",
                remedy=f"set ipMasqBackend to one of {', '.join(BACKENDS)}",
            )
        async with self._sandboxes.hold(who.container_id):
            await self._kernel.run(
                lambda _worker: _add(self._tools, who, backend),
                undo=lambda _worker, _done: _remove(self._tools, who),
                waits=True,
            )

    async def remove(self, who: Masqueraded) -> None:
        """Remove the rules; none there is fine.

        Raises:
            PlanesError: the tool fails.
        """
        async with self._sandboxes.hold(who.container_id):
            await self._kernel.run(lambda _worker: _remove(self._tools, who), waits=True)


def _add(tools: Tools, who: Masqueraded, backend: str) -> None:
    if backend != "nftables":
        try:
            iptables.add_rules(tools, who.network, who.container_id, who.addresses)
        except NotFound:
            if backend:
                raise
            # One family may have worked.
            iptables.remove_rules(tools, who.network, who.container_id, who.addresses)
        else:
            return
    nftables.add_rules(tools, who.network, who.ifname, who.container_id, who.addresses)


def _remove(tools: Tools, who: Masqueraded) -> None:
    """Take the rules of both backends away.

    Raises:
        NotFound: a tool is missing that was there when the rules were made: they may still be.
            Not where no addresses are known: such an ADD never came to its rules, perhaps for want
            of the very tool.
        PlanesError: a tool fails.
    """
    without = iptables.remove_rules(tools, who.network, who.container_id, who.addresses)
    try:
        nftables.remove_rules(tools, who.network, who.ifname, who.container_id)
    except NotFound as error:
        # A node without nft has no rules of it, if it has the other tool.
        if without and who.addresses:
            raise without[0].error from error
        return
    for family in without:
        if family.has_tables() or nftables.has_chain(tools, family.version, family.chain):
            raise family.error
