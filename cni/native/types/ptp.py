"""Type `ptp`: a veth pair between sandbox and host, without a bridge; all traffic is routed.

Keys, results, routes, rules and kernel state are the reference plugin's; a failed ADD leaves
nothing but forwarding.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from cni.native import checks
from cni.native.interface import checked_mtu, known_result, on_interface, own_dns, require_netns
from cni.native.link_steps import ReadSandbox, configure_link, take_addresses
from cni.native.masquerade import Masquerade, Masqueraded, check_backend
from cni.native.plugin import LinkType
from cni.native.steps import KernelStep, StepContext, Steps
from cni.net import sysctls
from cni.net.configure import Setup
from cni.net.errors import MissingNetns
from cni.net.link_changes import delete_link
from cni.net.links import Link
from cni.net.point_to_point import RoutedAddress, add_pair, route_through_gateways, set_up_host_end
from cni.plugins.plugin import Call
from planes.model.addresses import parse_address, parse_interface
from planes.model.errors import BadInput, NotFound
from planes.model.wire.dns import Dns
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Interface, Result

_SANDBOX_INTERFACE = 1  # position in the result: host end, sandbox end


@dataclass(frozen=True, slots=True)
class _PtpConf:
    mtu: int
    has_masquerade: bool
    backend: str
    dns: Dns | None


def _settings(conf: NetConf) -> _PtpConf:
    if not conf.ipam_type:
        raise BadInput(
            "cannot use type ptp without addresses: it has no ipam",
            remedy='add "ipam", for example of type host-local',
        )
    fields = conf.fields()
    read = _PtpConf(
        mtu=checked_mtu(conf),
        has_masquerade=fields.boolean("ipMasq"),
        backend=fields.string("ipMasqBackend"),
        dns=own_dns(conf),
    )
    if read.has_masquerade:
        check_backend(read.backend)
    return read


@dataclass(frozen=True, slots=True)
class _AddPair(KernelStep[str]):
    """Create the pair; results in the name of the host's end."""

    ifname: str
    mtu: int

    def do(self, context: StepContext) -> str:
        """See `cni.net.point_to_point.add_pair`."""
        return add_pair(context.worker, context.sandbox, self.ifname, self.mtu)

    def undo(self, context: StepContext, done: str) -> None:
        """Delete it."""
        with suppress(NotFound, MissingNetns):
            context.sandbox.channel.batch([delete_link(self.ifname)])


@dataclass(frozen=True, slots=True)
class _ForwardFamilies(KernelStep[None]):
    """Switch forwarding on for the families of the addresses; it stays on."""

    routed: tuple[RoutedAddress, ...]

    def do(self, context: StepContext) -> None:
        """Do it in the host's namespace."""
        for version in sorted({one.address.version for one in self.routed}):
            sysctls.forward(version)


@dataclass(frozen=True, slots=True)
class _ConnectPair(KernelStep[Link]):
    """Add the routes of both ends, and the gateways to the host's end, whose link it results in."""

    link: Link
    host_name: str
    routed: tuple[RoutedAddress, ...]

    def do(self, context: StepContext) -> Link:
        """Do it; routes and addresses go with the pair."""
        route_through_gateways(context.sandbox, self.link, self.routed)
        return set_up_host_end(context.worker, self.host_name, self.routed)


class PointToPoint(LinkType):
    """Plugin type `ptp`.

    Args:
        masquerade: the masquerading rules of this host.
    """

    def __init__(self, masquerade: Masquerade) -> None:
        self._masquerade = masquerade

    def attach(self, call: Call, conf: NetConf) -> Steps[Result]:
        """Create the pair, get addresses, configure both ends.

        Raises:
            PlanesError: it cannot be done.
        """
        require_netns(call)
        settings = _settings(conf)
        host_name = yield from _AddPair(call.ifname, settings.mtu)
        given = yield from take_addresses(call, conf)
        routed = _routed(given)
        yield from _ForwardFamilies(routed)
        outside, inside = Interface(host_name), Interface(call.ifname, sandbox=call.netns)
        result = on_interface(replace(given, interfaces=(outside, inside)), _SANDBOX_INTERFACE)
        link = yield from configure_link(Setup(call.ifname, result))
        host = yield from _ConnectPair(link, host_name, routed)
        if settings.has_masquerade:
            who = Masqueraded.of(call, conf, result)
            yield from self._masquerade.adding(who, settings.backend)
        return replace(
            result,
            interfaces=(replace(outside, mac=host.mac), replace(inside, mac=link.mac)),
            dns=result.dns if settings.dns is None else settings.dns,
        )

    def check(self, call: Call, conf: NetConf) -> Steps[None]:
        """Compare the sandbox's end with the prevResult.

        Raises:
            PlanesError: it differs.
        """
        require_netns(call)
        _settings(conf)
        previous = checks.previous_result(conf)
        facts = yield from ReadSandbox()
        link = checks.check_interface(facts, call, previous, "veth")
        checks.check_addresses(facts, link, previous)
        checks.check_routes(facts, link, previous)

    def leaves(self, call: Call, conf: NetConf) -> bool:
        """Report whether there are masquerading rules to remove."""
        return conf.fields().raw("ipMasq") is True

    def detach(self, call: Call, conf: NetConf) -> Steps[None]:
        """Remove the masquerading rules.

        Raises:
            PlanesError: they are left.
        """
        if self.leaves(call, conf):
            who = Masqueraded.of(call, conf, known_result(conf))
            yield from self._masquerade.removing(who)


def _routed(given: Result) -> tuple[RoutedAddress, ...]:
    """Return the addresses with their gateways.

    Raises:
        BadInput: one has none, or one of another family.
    """
    routed = []
    for one in given.ips:
        address = parse_interface(one.address)
        gateway = parse_address(one.gateway) if one.gateway else None
        if gateway is None or gateway.version != address.version:
            raise BadInput(
                f"cannot connect address {one.address}: type ptp needs a gateway of its family",
                remedy="set a gateway in ipam",
            )
        routed.append(RoutedAddress(address, gateway))
    return tuple(routed)
