"""The configuration of type `bridge`: keys, refusals, and what goes to the binary."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cni.native.interface import MacSources, chosen_mac
from cni.net.bridges import Port
from cni.plugin import Call
from planes.model.addresses import IPInterface, parse_interface
from planes.model.errors import BadInput
from planes.model.names import check_ifname
from planes.model.wire.dns import parse_dns
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Address, Dns, Result, Route

_DNS_KEYS = ("nameservers", "domain", "search", "options")


@dataclass(frozen=True, slots=True)
class BridgeConf:
    """A checked configuration.

    Attributes:
        dns: overrides that of the IPAM where it says anything.
    """

    port: Port
    mac: str
    has_ipam: bool
    is_gateway: bool
    is_default_gateway: bool
    is_address_forced: bool
    has_masquerade: bool
    masquerade_backend: str
    has_dad: bool
    is_left_down: bool
    dns: Dns | None

    @property
    def sysctls(self) -> tuple[tuple[str, str, str], ...]:
        """Sysctls of a sandbox interface with addresses."""
        dad = (
            (("ipv6", "enhanced_dad", "1"), ("ipv6", "accept_dad", "1"))
            if self.has_dad
            else (("ipv6", "accept_dad", "0"),)
        )
        return (*dad, ("ipv4", "arp_notify", "1"))


def why_unsupported(conf: NetConf) -> str:
    """Name the key that needs the binary; "" where we can do it."""
    fields = conf.fields()
    if fields.integer("vlan"):
        return "vlan"
    if fields.has("vlanTrunk"):
        return "vlanTrunk"
    return "macspoofchk" if fields.boolean("macspoofchk") else ""


def read_bridge_conf(call: Call, conf: NetConf) -> BridgeConf:
    """Read and check a configuration.

    Raises:
        BadInput: keys of wrong type, or that exclude each other.
    """
    fields = conf.fields()
    is_default_gateway = fields.boolean("isDefaultGateway")
    is_gateway = fields.boolean("isGateway") or is_default_gateway
    port = Port(
        bridge=check_ifname(fields.string("bridge") or "cni0"),
        mtu=fields.integer("mtu"),
        is_promiscuous=fields.boolean("promiscMode"),
        is_hairpin=fields.boolean("hairpinMode"),
        is_isolated=fields.boolean("portIsolation"),
        is_pinned=is_gateway and bool(conf.ipam_type),
    )
    dns = fields.child("dns")
    sources = MacSources.of(call, conf)
    read = BridgeConf(
        port=port,
        mac=chosen_mac(sources.runtime, sources.args, sources.cni_args),
        has_ipam=bool(conf.ipam_type),
        is_gateway=is_gateway,
        is_default_gateway=is_default_gateway,
        is_address_forced=fields.boolean("forceAddress"),
        has_masquerade=fields.boolean("ipMasq"),
        masquerade_backend=fields.string("ipMasqBackend"),
        has_dad=fields.boolean("enabledad"),
        is_left_down=fields.boolean("disableContainerInterface"),
        dns=parse_dns(dns) if dns is not None and any(map(dns.has, _DNS_KEYS)) else None,
    )
    _refuse(read)
    return read


def _refuse(read: BridgeConf) -> None:
    if not 0 <= read.port.mtu <= 0xFFFFFFFF:
        raise BadInput(f"cannot use MTU {read.port.mtu} on bridge {read.port.bridge}")
    if read.has_ipam and read.is_left_down:
        raise BadInput(
            "cannot use IPAM when disableContainerInterface is set",
            remedy="drop one of the two",
        )
    if read.port.is_hairpin and read.port.is_promiscuous:
        raise BadInput(
            "cannot set hairpin mode and promiscuous mode at the same time",
            remedy="drop hairpinMode or promiscMode",
        )


def with_gateways(read: BridgeConf, given: Result) -> tuple[Result, tuple[IPInterface, ...]]:
    """Fill in gateways and default routes; also the addresses the bridge shall have."""
    if not read.is_gateway:
        return given, ()
    ips = tuple(one if one.gateway else replace(one, gateway=_first_of(one)) for one in given.ips)
    routes = list(given.routes)
    if read.is_default_gateway:
        for family, dst in ((4, "0.0.0.0/0"), (6, "::/0")):
            first = next((one for one in ips if one.family == family), None)
            if first is not None and not any(one.dst == dst and one.gw for one in routes):
                routes.append(Route(dst, first.gateway))
    gateways = tuple(
        parse_interface(f"{one.gateway}/{one.address.partition('/')[2]}") for one in ips
    )
    return replace(given, ips=ips, routes=tuple(routes)), gateways


def _first_of(address: Address) -> str:
    return str(parse_interface(address.address).network.network_address + 1)
