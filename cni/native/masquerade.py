"""Masquerading of an attachment's traffic out of its network, by iptables or nftables.

Removal needs neither the link nor its addresses, and searches both backends: the attachment may
have been made with another netconf.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from cni.native import iptables, nftables
from cni.native.packet_filter import PacketFilter
from cni.native.steps import Awaited
from cni.net.execute import Tools
from cni.plugins.plugin import Call
from planes.model.addresses import IPInterface, parse_interface
from planes.model.errors import BadInput, NotFound, PlanesError
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result

BACKENDS = ("iptables", "nftables")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Masqueraded:
    """An attachment and its addresses, none where they are not known."""

    network: str
    ifname: str
    container_id: str
    addresses: Sequence[IPInterface] = ()

    @classmethod
    def of(cls, call: Call, conf: NetConf, result: Result) -> Masqueraded:
        """Return the attachment of a call, with those addresses of a result that are on it."""
        ours = [
            parse_interface(one.address)
            for one in result.ips
            if one.interface is None
            or (
                0 <= one.interface < len(result.interfaces)
                and result.interfaces[one.interface].name == call.ifname
            )
        ]
        return cls(conf.name, call.ifname, call.container_id, tuple(ours))


def check_backend(backend: str) -> None:
    """Check the value of `ipMasqBackend`; "" is the first one that works.

    Raises:
        BadInput: there is no such backend.
    """
    if backend and backend not in BACKENDS:
        raise BadInput(
            f"cannot masquerade: there is no backend {backend!r}",
            remedy=f"set ipMasqBackend to one of {', '.join(BACKENDS)}",
        )


class Masquerade:
    """The rules on one host.

    Args:
        packet_filter: of the host.
    """

    def __init__(self, packet_filter: PacketFilter) -> None:
        # Interfaces of one sandbox share a chain: one that adds rules must know whether it exists.
        self._filter = packet_filter
        self._tools = packet_filter.tools

    def adding(self, who: Masqueraded, backend: str) -> Awaited[None]:
        """Return the step that adds the rules; see `add`."""
        return Awaited(partial(self.add, who, backend), lambda _done: self.remove(who))

    def removing(self, who: Masqueraded) -> Awaited[None]:
        """Return the step that removes the rules; see `remove`."""
        return Awaited(partial(self.remove, who))

    async def add(self, who: Masqueraded, backend: str) -> None:
        """Add the rules; existing ones stay.

        Args:
            who: the attachment.
            backend: "iptables", "nftables", or "" for the first that works here.

        Raises:
            BadInput: there is no such backend.
            PlanesError: the tool fails; no rule of the attachment is left.
        """
        check_backend(backend)
        await self._filter.run(
            who.container_id,
            partial(_add_or_undo, self._tools, who, backend),
            partial(_remove, self._tools, who),
        )

    async def remove(self, who: Masqueraded) -> None:
        """Remove the rules; none there is fine.

        Raises:
            PlanesError: the tool fails.
        """
        await self._filter.run(who.container_id, partial(_remove, self._tools, who))


def _add_or_undo(tools: Tools, who: Masqueraded, backend: str) -> None:
    try:
        _add(tools, who, backend)
    except BaseException:
        try:
            _remove(tools, who)
        except PlanesError as error:
            _log.warning("rules of a failed ADD may be left", extra={"error": str(error)})
        raise


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
    """Remove the rules of both backends.

    Raises:
        NotFound: a tool is missing that was there when the rules were made, so they may still be.
            Not where no addresses are known: such an ADD failed before its rules.
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
