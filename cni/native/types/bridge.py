"""Type `bridge`: a veth pair with one end in the sandbox and the other a port of a bridge.

Keys, results, rules and kernel state are the reference plugin's. As there, the bridge itself stays
with its address, and so does the gateway interface of a VLAN: other sandboxes may be using them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from cni.native import checks
from cni.native.interface import known_result, on_interface, require_netns
from cni.native.link_steps import ReadHostLinks, ReadSandbox, configure_link, take_addresses
from cni.native.masquerade import Masquerade, Masqueraded
from cni.native.plugin import LinkType
from cni.native.spoof_check import SpoofCheck, SpoofChecked, has_own_chains
from cni.native.steps import Awaited, KernelStep, StepContext, Steps, Wait
from cni.native.types.bridge_conf import BridgeConf, read_bridge_conf, with_gateways
from cni.net.bridges import (
    BridgePort,
    add_port,
    be_gateway,
    ensure_vlan_gateway,
    is_forwarding,
    look_at_port,
)
from cni.net.configure import Setup
from cni.net.errors import MissingNetns
from cni.net.if_link import IFF_PROMISC
from cni.net.link_changes import delete_link
from cni.net.links import Link
from cni.net.placement import random_mac
from cni.plugins.plugin import Call
from planes.model.addresses import IPInterface
from planes.model.errors import Conflict, Internal, NotFound, PlanesError
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Interface, Result

# The kernel reports a port as up some time after it is; the reference waits as long in all.
_PORT_WAITS_SECONDS = (0.002, 0.008, 0.04, 0.5, 1.0, 1.0)
_SANDBOX_INTERFACE = 2  # position in the result: bridge, host end, sandbox end


@dataclass(frozen=True, slots=True)
class _AddPort(KernelStep[tuple[Link, str]]):
    """Make the bridge, unless it is there, and a veth pair between it and the sandbox.

    Results in the bridge as it was before, and the name of the host's end.
    """

    ifname: str
    mac: str
    port: BridgePort

    def do(self, context: StepContext) -> tuple[Link, str]:
        """See `cni.net.bridges.add_port`."""
        return add_port(context.worker, context.sandbox, self.ifname, self.mac, self.port)

    def undo(self, context: StepContext, done: tuple[Link, str]) -> None:
        """Delete the pair; the bridge stays."""
        with suppress(NotFound, MissingNetns):
            context.sandbox.channel.batch([delete_link(self.ifname)])


@dataclass(frozen=True, slots=True)
class _BeGateway(KernelStep[Link]):
    """Put the gateway addresses on the bridge, or on the gateway interface of the VLAN; they stay.

    Results in the link that has them.
    """

    bridge: Link
    port: BridgePort
    gateways: tuple[IPInterface, ...]
    is_forced: bool

    def do(self, context: StepContext) -> Link:
        """See `cni.net.bridges.be_gateway`."""
        worker, link = context.worker, self.bridge
        if self.port.vlans.access:
            link = ensure_vlan_gateway(worker, link, self.port)
        be_gateway(worker, link, self.gateways, is_forced=self.is_forced)
        return link


@dataclass(frozen=True, slots=True)
class _LookAtPort(KernelStep[tuple[Link, Link]]):
    """Read the bridge and the host's end of a pair; write the bridge's MAC where it must keep it.

    Attributes:
        mac: that MAC, "" for none.
    """

    bridge: str
    host_name: str
    mac: str

    def do(self, context: StepContext) -> tuple[Link, Link]:
        """Return both as they are now."""
        return look_at_port(context.worker, self.bridge, self.host_name, self.mac)


class Bridge(LinkType):
    """Plugin type `bridge`.

    Args:
        masquerade: the masquerading rules of this host.
        spoof_check: the rules of this host that check source MACs.
    """

    def __init__(self, masquerade: Masquerade, spoof_check: SpoofCheck) -> None:
        self._masquerade = masquerade
        self._spoof_check = spoof_check

    def attach(self, call: Call, conf: NetConf) -> Steps[Result]:
        """Create the port, get addresses, configure both ends.

        Raises:
            PlanesError: it cannot be done; nothing but the bridge is left of it.
        """
        require_netns(call)
        read = read_bridge_conf(call, conf)
        # Rules are made before the interface is up, so its MAC must be known before.
        mac = read.mac or (random_mac() if read.is_spoof_checked else "")
        bridge, host_name = yield from _AddPort(call.ifname, mac, read.port)
        if read.is_spoof_checked:
            yield from self._spoof_check.adding(
                SpoofChecked(call.container_id, call.ifname, host_name, mac)
            )
        given = yield from take_addresses(call, conf)
        given, gateways = with_gateways(read, given)
        interfaces = [
            Interface(bridge.name),
            Interface(host_name),
            Interface(call.ifname, sandbox=call.netns),
        ]
        given = Result(tuple(interfaces), given.ips, given.routes, given.dns)
        result = on_interface(given, _SANDBOX_INTERFACE)
        link = yield from configure_link(
            Setup(
                call.ifname,
                result,
                read.sysctls if read.has_ipam else (),
                is_up=not read.is_left_down,
            )
        )
        interfaces[_SANDBOX_INTERFACE] = Interface(call.ifname, mac=link.mac, sandbox=call.netns)
        kept_mac = ""
        if gateways:
            gateway = yield from _BeGateway(bridge, read.port, gateways, read.is_address_forced)
            if gateway.index == bridge.index:
                kept_mac = bridge.mac
            else:
                interfaces.append(Interface(gateway.name, mac=gateway.mac))
        if read.has_ipam and read.has_masquerade:
            who = Masqueraded.of(call, conf, result)
            yield from self._masquerade.adding(who, read.masquerade_backend)
        interfaces[:2] = yield from _port_interfaces(read, bridge.name, host_name, kept_mac)
        dns = result.dns if read.dns is None else read.dns
        return Result(tuple(interfaces), result.ips, result.routes, dns)

    def check(self, call: Call, conf: NetConf) -> Steps[None]:
        """Compare both ends and the bridge with the prevResult.

        Raises:
            PlanesError: something differs.
        """
        require_netns(call)
        read = read_bridge_conf(call, conf)
        previous = checks.previous_result(conf)
        host = yield from ReadHostLinks()
        facts = yield from ReadSandbox()
        link = checks.check_interface(facts, call, previous, "veth")
        _check_host(read, {one.name: one for one in host}, link, previous)
        checks.check_addresses(facts, link, previous)
        checks.check_routes(facts, link, previous)

    def leaves(self, call: Call, conf: NetConf) -> bool:
        """Report whether there are rules to remove."""
        return _has_spoof_rules(call, conf) or _has_masquerade(conf)

    def detach(self, call: Call, conf: NetConf) -> Steps[None]:
        """Remove the rules, those of one kind also where the others cannot be removed.

        Raises:
            PlanesError: some are left.
        """
        removals: list[Awaited[None]] = []
        if not self.leaves(call, conf):
            return
        previous = known_result(conf)
        if _has_spoof_rules(call, conf):
            who = SpoofChecked(call.container_id, call.ifname)
            were_added = bool(previous.interfaces)
            removals.append(self._spoof_check.removing(who, were_added=were_added))
        if _has_masquerade(conf):
            removals.append(self._masquerade.removing(Masqueraded.of(call, conf, previous)))
        failures: list[PlanesError] = []
        for removal in removals:
            try:
                yield from removal
            except PlanesError as error:
                failures.append(error)
        if failures:
            raise failures[0]


def _is_set(conf: NetConf, key: str) -> bool:
    """Report whether a switch is on; one of a wrong type was refused by ADD."""
    return conf.fields().raw(key) is True


def _has_spoof_rules(call: Call, conf: NetConf) -> bool:
    """Report whether ADD made rules that check source MACs, if it succeeded."""
    return _is_set(conf, "macspoofchk") and has_own_chains(call.ifname)


def _has_masquerade(conf: NetConf) -> bool:
    """Report whether ADD made masquerading rules, if it succeeded."""
    return conf.fields().has("ipam") and _is_set(conf, "ipMasq")


def _port_interfaces(
    read: BridgeConf, bridge_name: str, host_name: str, kept_mac: str
) -> Steps[Sequence[Interface]]:
    """Return bridge and port for the result, once the port forwards frames.

    Raises:
        Internal: it does not.
    """
    bridge, host = yield from _LookAtPort(bridge_name, host_name, kept_mac)
    if not read.is_left_down:
        for seconds in _PORT_WAITS_SECONDS:
            if is_forwarding(host):
                break
            yield from Wait(seconds)
            bridge, host = yield from _LookAtPort(bridge_name, host_name, kept_mac)
        if not is_forwarding(host):
            raise Internal(
                f"cannot use bridge {bridge.name}: bridge port in error state: down",
                remedy=f"see `ip -d link show {bridge.name}` on the node: the bridge must be up",
            )
    return Interface(bridge.name, mac=bridge.mac), Interface(host.name, mac=host.mac)


def _check_host(read: BridgeConf, host: dict[str, Link], link: Link, previous: Result) -> None:
    bridge = host.get(read.port.bridge)
    if bridge is None or bridge.kind != "bridge":
        raise NotFound(f"cannot find bridge {read.port.bridge} on this node")
    outside = {one.name: one for one in previous.interfaces if not one.sandbox}
    told = outside.get(bridge.name)
    if told is None:
        raise NotFound(f"cannot find bridge {bridge.name} in the prevResult")
    checks.check_mac(bridge, told)
    if bool(bridge.flags & IFF_PROMISC) != read.port.is_promiscuous:
        raise Conflict(f"cannot confirm bridge {bridge.name}: its promiscuous mode has changed")
    for name, interface in outside.items():
        port = host.get(name)
        if port is not None and port.index == link.parent and port.kind == "veth":
            checks.check_mac(port, interface)
            if port.master != bridge.index:
                raise Conflict(f"cannot confirm {name}: it is no port of {bridge.name}")
            return
    raise NotFound(f"cannot find the host end of {link.name} on bridge {bridge.name}")
