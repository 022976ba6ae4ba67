"""What all types that make one sandbox interface share: checks of the call, results, MACs.

A type creates its link; IPAM, addresses, routes and DNS follow here, the same for each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from cni.cni_args import known_args
from cni.ipam.ipams import Ipams
from cni.plugin import Call
from planes.model.errors import BadInput, CniCode
from planes.model.mac import ETHERNET_BYTES, format_mac, parse_mac, why_unusable
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result


@dataclass(frozen=True, slots=True)
class MacSources:
    """A MAC asked for in several places; which one wins differs between types."""

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
    """Give the first MAC that is set, as the kernel writes it; "" where none is.

    Raises:
        BadInput: it is no Ethernet address.
    """
    text = next((one for one in texts if one), "")
    if not text:
        return ""
    packed = parse_mac(text)
    if len(packed) != ETHERNET_BYTES:
        raise BadInput(f"cannot use {text} as the MAC of an interface: it is not of Ethernet")
    if reason := why_unusable(packed):
        raise BadInput(f"cannot use {text} as the MAC of an interface: {reason}")
    return format_mac(packed)


def require_netns(call: Call) -> None:
    """Refuse an ADD or CHECK without namespace.

    Raises:
        BadInput: code 4.
    """
    if not call.netns:
        raise BadInput(
            f"cannot attach {call.ifname}: CNI_NETNS is missing", code=CniCode.BAD_ENVIRONMENT
        )


def require_addresses(call: Call, given: Result) -> None:
    """Refuse an IPAM that gave no address.

    Raises:
        BadInput: it gave none.
    """
    if not given.ips:
        raise BadInput(f"cannot attach {call.ifname}: IPAM plugin returned missing IP config")


def local_release(ipams: Ipams, call: Call, conf: NetConf) -> Callable[[], None] | None:
    """Give the release of an attachment's addresses as one blocking step, where it is one."""
    if not conf.ipam_type:
        return _nothing
    local = ipams.local(conf)
    return None if local is None else lambda: local.give_back(call, conf)


def _nothing() -> None:
    """Hold nothing, give back nothing."""


def on_interface(result: Result, index: int) -> Result:
    """Give the result with all addresses on one of its interfaces."""
    return replace(result, ips=tuple(replace(one, interface=index) for one in result.ips))
