"""Type `portmap`: ports of the node that lead to ports of the container, by iptables or nftables.

Chains, rules and comments are the reference plugin's, so each DEL finds the rules of the other.
Invariant: removal needs the network's name and the container id only, and removes the rules of both
backends; a failed ADD leaves none. Without mappings, as nearly always, there are no steps.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address
from typing import Final

from cni.native import checks, rule_table
from cni.native.chained import ChainedType, chained_result
from cni.native.packet_filter import PacketFilter
from cni.native.steps import KernelStep, StepContext, Steps
from cni.native.types.portmap_conf import IPTABLES, NFTABLES, PortmapConf, read_portmap_conf
from cni.native.types.portmap_iptables import IptablesPorts
from cni.native.types.portmap_nftables import NftablesPorts
from cni.net.conntrack import forget_udp_connections
from cni.net.local_routing import route_localnet_to
from cni.plugins.plugin import Call
from planes.model.errors import BadInput, NotFound, PlanesError
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result

_log = logging.getLogger(__name__)

_VERSIONS: Final = (4, 6)


@dataclass(frozen=True, slots=True)
class RouteLocalnet(KernelStep[None]):
    """Allow packets from 127.0.0.0/8 to a container; not undone, for others need it too."""

    address: IPv4Address

    def do(self, context: StepContext) -> None:
        """Write the sysctl.

        Raises:
            PlanesError: the kernel refuses.
        """
        route_localnet_to(context.worker, self.address)


class Portmap(ChainedType):
    """Plugin type `portmap`.

    Args:
        packet_filter: of the host.
    """

    def __init__(self, packet_filter: PacketFilter) -> None:
        self._filter = packet_filter
        self._iptables = IptablesPorts(packet_filter.tools)
        self._nftables = NftablesPorts(packet_filter.tools)

    def leaves(self, call: Call, conf: NetConf) -> bool:
        """Report whether the netconf has mappings; one that cannot be read was refused at ADD."""
        try:
            runtime = conf.fields().child("runtimeConfig")
            return runtime is not None and bool(runtime.objects("portMappings"))
        except BadInput:
            return False

    def attach(self, call: Call, conf: NetConf) -> Steps[Result]:
        """Map the ports, forget UDP connections to them, and open them on localhost.

        Raises:
            PlanesError: it cannot be done; no rule is left.
        """
        previous = chained_result(conf)
        read = read_portmap_conf(call, conf, previous)
        if not read.mappings:
            return previous
        if read.addresses:
            yield from self._filter.change(
                call, partial(self._add, read), partial(self._remove, call, conf)
            )
        udp = _udp_ports(conf)
        if udp and read.addresses:
            yield from self._filter.change(call, partial(_forget, tuple(read.addresses), udp))
        address = read.addresses.get(4)
        if read.has_snat and address is not None and isinstance(address.ip, IPv4Address):
            yield from RouteLocalnet(address.ip)
        return previous

    def check(self, call: Call, conf: NetConf) -> Steps[None]:
        """Check that the rules exist.

        Raises:
            PlanesError: one is missing.
        """
        read = read_portmap_conf(call, conf, checks.previous_result(conf))
        if not read.mappings:
            return
        yield from self._filter.change(call, partial(self._check, read))

    def detach(self, call: Call, conf: NetConf) -> Steps[None]:
        """Remove the rules of both backends, then forget UDP connections to the ports.

        Raises:
            PlanesError: a rule may be left.
        """
        if not self.leaves(call, conf):
            return
        yield from self._filter.change(call, partial(self._remove, call, conf))
        if udp := _udp_ports(conf):
            yield from self._filter.change(call, partial(_forget, _VERSIONS, udp))

    def _add(self, read: PortmapConf) -> None:
        backend = read.backend or (self._backend() if any(read.bound_to.values()) else "")
        if backend:
            read.check_backend(backend)
        if backend != NFTABLES:
            try:
                self._iptables.add(read)
            except PlanesError:
                # Only now, since nearly every node has iptables: what the reference asks first.
                if backend or self._backend() == IPTABLES:
                    raise
            else:
                return
        self._nftables.add(read)

    def _check(self, read: PortmapConf) -> None:
        if (read.backend or self._backend()) == IPTABLES:
            self._iptables.check(read)
        else:
            self._nftables.check(read)

    def _backend(self) -> str:
        """Return the backend for netconfs that name none, as the reference chooses it."""
        if rule_table.is_usable(self._filter.tools) or not self._nftables.is_usable():
            return IPTABLES
        return NFTABLES

    def _remove(self, call: Call, conf: NetConf) -> None:
        unread = self._iptables.remove(conf.name, call.container_id)
        try:
            self._nftables.remove(call.container_id)
        except NotFound:
            # With a prevResult the ADD succeeded, so there was a tool that made its rules.
            if unread and conf.fields().has("prevResult"):
                raise


def _udp_ports(conf: NetConf) -> frozenset[int]:
    """Return the UDP ports of the node in a netconf; a DEL must go on with one that is wrong."""
    found: set[int] = set()
    try:
        runtime = conf.fields().child("runtimeConfig")
        for one in runtime.children("portMappings") if runtime is not None else ():
            if one.string("protocol").lower() == "udp":
                found.add(one.integer("hostPort"))
    except BadInput:
        return frozenset()
    return frozenset(port for port in found if 0 < port < 1 << 16)


def _forget(versions: tuple[int, ...], ports: frozenset[int]) -> None:
    """Forget connections; a kernel that does not track them, or refuses, is no error."""
    for version in versions:
        try:
            forget_udp_connections(version, ports)
        except PlanesError as error:
            _log.warning(
                "cannot forget UDP connections to mapped ports", extra={"error": str(error)}
            )
