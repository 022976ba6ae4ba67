"""What all types that make one sandbox interface share: checks of the call, results, MACs."""

from __future__ import annotations

from dataclasses import dataclass

from cni.plugins.cni_args import known_args
from cni.plugins.plugin import Call
from planes.model.errors import BadInput, CniCode
from planes.model.mac import ETHERNET_BYTES, format_mac, parse_mac, why_unusable
from planes.model.wire.dns import Dns, parse_dns
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Address, Result

_DNS_LISTS = ("nameservers", "search", "options")
_MAX_MTU = 0xFFFFFFFF
_MAC_REMEDY = "ask for a unicast MAC of six bytes, such as 02:00:00:00:00:11"


@dataclass(frozen=True, slots=True)
class MacSources:
    """The MACs asked for in several places; which one counts differs between types."""

    conf: str = ""
    cni_args: str = ""
    args: str = ""
    runtime: str = ""

    @classmethod
    def of(cls, call: Call, conf: NetConf) -> MacSources:
        """Read all of them.

        Raises:
            BadInput: one has a wrong type, or CNI_ARGS have unknown keys.
        """
        fields = conf.fields()
        args = fields.child("args")
        inner = args.child("cni") if args is not None else None
        runtime = fields.child("runtimeConfig")
        return cls(
            conf=fields.string("mac"),
            cni_args=known_args(call, "MAC").get("MAC", ""),
            args=inner.string("mac") if inner is not None else "",
            runtime=runtime.string("mac") if runtime is not None else "",
        )


def chosen_mac(*texts: str) -> str:
    """Return the first MAC that is set, as the kernel writes it; "" where none is.

    Raises:
        BadInput: it is no Ethernet address.
    """
    text = next((one for one in texts if one), "")
    if not text:
        return ""
    packed = parse_mac(text)
    if len(packed) != ETHERNET_BYTES:
        raise BadInput(
            f"cannot use {text} as the MAC of an interface: it is not of Ethernet",
            remedy=_MAC_REMEDY,
        )
    if reason := why_unusable(packed):
        raise BadInput(
            f"cannot use {text} as the MAC of an interface: {reason}", remedy=_MAC_REMEDY
        )
    return format_mac(packed)


def require_netns(call: Call) -> None:
    """Check that an ADD or CHECK has a namespace.

    Raises:
        BadInput: it has none (code 4).
    """
    if not call.netns:
        raise BadInput(
            f"cannot look into the sandbox of {call.ifname}: CNI_NETNS is missing",
            remedy="the container runtime must name the sandbox's network namespace",
            code=CniCode.BAD_ENVIRONMENT,
        )


def require_addresses(call: Call, given: Result) -> None:
    """Check that the IPAM type returned an address.

    Raises:
        BadInput: it returned none.
    """
    if not given.ips:
        raise BadInput(
            "cannot configure addresses: IPAM plugin returned missing IP config",
            remedy="give ipam an address or range, or leave ipam out",
        )


def known_result(conf: NetConf) -> Result:
    """Return the prevResult of a DEL, which must go on without one, or with one it cannot read."""
    try:
        return conf.prev_result() or Result()
    except BadInput:
        return Result()


def own_dns(conf: NetConf) -> Dns | None:
    """Return the netconf's DNS where a key of it is set, in place of that of the IPAM type.

    Raises:
        BadInput: it has a wrong type.
    """
    dns = conf.fields().child("dns")
    if dns is None or not (dns.string("domain") or any(map(dns.has, _DNS_LISTS))):
        return None
    return parse_dns(dns)


def checked_mtu(conf: NetConf) -> int:
    """Return the MTU of a veth pair in bytes, 0 for the kernel's own.

    Raises:
        BadInput: it is negative, or does not fit in 32 bits.
    """
    mtu = conf.fields().integer("mtu")
    if not 0 <= mtu <= _MAX_MTU:
        raise BadInput(
            f"cannot use MTU {mtu}: it does not fit an interface",
            remedy="set mtu to a number from 68 to 65535, or leave it out",
        )
    return mtu


def on_interface(result: Result, index: int) -> Result:
    """Return the result with all addresses on one of its interfaces."""
    ips = tuple([Address(one.address, one.gateway, index) for one in result.ips])
    return Result(result.interfaces, ips, result.routes, result.dns)
