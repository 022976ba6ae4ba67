"""The netconf of type `bridge`: its keys, and what is refused.

Invariant: however many VLANs a trunk names, it costs one number of 4095 bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from cni.native.interface import MacSources, checked_mtu, chosen_mac, own_dns
from cni.native.masquerade import check_backend
from cni.native.spoof_check import has_own_chains
from cni.net.bridge_vlans import MAX_VLAN, PortVlans
from cni.net.bridges import BridgePort
from cni.net.configure import ARP_NOTIFY
from cni.plugins.plugin import Call
from planes.model.addresses import IPInterface, parse_interface
from planes.model.decode import Fields
from planes.model.errors import BadInput
from planes.model.names import check_ifname
from planes.model.wire.dns import Dns
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Address, Result, Route


@dataclass(frozen=True, slots=True)
class BridgeConf:
    """A checked netconf.

    Attributes:
        dns: in place of that of the IPAM type; None where it is not set.
    """

    port: BridgePort
    mac: str
    has_ipam: bool
    is_gateway: bool
    is_default_gateway: bool
    is_address_forced: bool
    has_masquerade: bool
    masquerade_backend: str
    is_spoof_checked: bool
    has_dad: bool
    is_left_down: bool
    dns: Dns | None

    @property
    def sysctls(self) -> tuple[tuple[str, str, str], ...]:
        """Return the sysctls of a sandbox interface with addresses."""
        dad = (
            (("ipv6", "enhanced_dad", "1"), ("ipv6", "accept_dad", "1"))
            if self.has_dad
            else (("ipv6", "accept_dad", "0"),)
        )
        return (*dad, ARP_NOTIFY)


def read_bridge_conf(call: Call, conf: NetConf) -> BridgeConf:
    """Read and check a netconf.

    Raises:
        BadInput: a key has a wrong type, or keys exclude each other.
    """
    fields = conf.fields()
    is_default_gateway = fields.boolean("isDefaultGateway")
    is_gateway = fields.boolean("isGateway") or is_default_gateway
    has_ipam = bool(conf.ipam_type)
    port = BridgePort(
        bridge=check_ifname(fields.string("bridge") or "cni0"),
        mtu=checked_mtu(conf),
        is_promiscuous=fields.boolean("promiscMode"),
        is_hairpin=fields.boolean("hairpinMode"),
        is_isolated=fields.boolean("portIsolation"),
        is_pinned=is_gateway and has_ipam,
        vlans=_vlans(fields),
    )
    sources = MacSources.of(call, conf)
    read = BridgeConf(
        port=port,
        mac=chosen_mac(sources.runtime, sources.args, sources.cni_args),
        has_ipam=has_ipam,
        is_gateway=is_gateway,
        is_default_gateway=is_default_gateway,
        is_address_forced=fields.boolean("forceAddress"),
        has_masquerade=fields.boolean("ipMasq"),
        masquerade_backend=fields.string("ipMasqBackend"),
        is_spoof_checked=fields.boolean("macspoofchk"),
        has_dad=fields.boolean("enabledad"),
        is_left_down=fields.boolean("disableContainerInterface"),
        dns=own_dns(conf),
    )
    _refuse(read)
    if read.is_spoof_checked and not has_own_chains(call.ifname):
        raise BadInput(
            f"cannot check source MACs of {call.ifname}: the rules of another interface could have"
            " its name",
            remedy='choose an interface name that does not end with "-mac"',
        )
    return read


def _refuse(read: BridgeConf) -> None:
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
    if read.has_ipam and read.has_masquerade:
        check_backend(read.masquerade_backend)
    if read.has_ipam and read.is_gateway and read.port.vlans.access:
        check_ifname(read.port.vlan_gateway)


def _vlans(fields: Fields) -> PortVlans:
    access = fields.integer("vlan")
    if not 0 <= access <= MAX_VLAN:
        raise BadInput(
            f"cannot use VLAN {access}: invalid VLAN ID", remedy=f"use one from 0 to {MAX_VLAN}"
        )
    return PortVlans(
        access=access,
        trunk=tuple(_trunk(fields)),
        keeps_default=fields.boolean("preserveDefaultVlan"),
        makes_filter=bool(access) or fields.has("vlanTrunk"),
    )


def _trunk(fields: Fields) -> Iterator[tuple[int, int]]:
    """Yield the VLANs of all entries of a trunk as ranges, ascending and apart."""
    chosen = 0  # bit n for VLAN n
    for at, raw in enumerate(fields.objects("vlanTrunk")):
        entry, path = Fields(raw, "the netconf", f"vlanTrunk[{at}]."), f"vlanTrunk[{at}]"
        first, last, single = (_vlan(entry, path, key) for key in ("minID", "maxID", "id"))
        if (first is None) != (last is None):
            missing = "minID" if first is None else "maxID"
            raise BadInput(
                f"cannot use {path}: {missing} is missing", remedy="set both minID and maxID"
            )
        if first is not None and last is not None:
            if last < first:
                raise BadInput(
                    f"cannot use {path}: minID is greater than maxID", remedy="swap the two"
                )
            chosen |= (1 << last + 1) - (1 << first)
        if single is not None:
            chosen |= 1 << single
    start = 0
    for vlan in range(1, MAX_VLAN + 2) if chosen else ():
        if chosen >> vlan & 1:
            start = start or vlan
        elif start:
            yield start, vlan - 1
            start = 0


def _vlan(entry: Fields, path: str, key: str) -> int | None:
    vlan = entry.optional_integer(key)
    if vlan is not None and not 1 <= vlan <= MAX_VLAN:
        raise BadInput(
            f"cannot use {path}: incorrect trunk {key} parameter {vlan}",
            remedy=f"use a VLAN from 1 to {MAX_VLAN}",
        )
    return vlan


def with_gateways(read: BridgeConf, given: Result) -> tuple[Result, tuple[IPInterface, ...]]:
    """Return the result with gateways and default routes, and the addresses of the bridge."""
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
