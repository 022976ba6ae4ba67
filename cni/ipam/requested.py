"""The addresses that a caller asks for: CNI_ARGS IP, `args.cni.ips`, `runtimeConfig.ips`.

Each is read strictly; the IPAM type decides which of them counts.
"""

from __future__ import annotations

from collections.abc import Sequence

from cni.plugins.cni_args import known_args
from cni.plugins.plugin import Call
from planes.model.addresses import IPAddress, parse_address, parse_interface
from planes.model.bounds import MAX_IPS_OF_NETCONF, MAX_ROUTES
from planes.model.decode import Fields
from planes.model.errors import BadInput
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Route
from planes.model.wire.result_parts import parse_route


def from_cni_args(call: Call) -> tuple[str, ...]:
    """Return the addresses of CNI_ARGS IP, which are separated by commas."""
    value = known_args(call, "IP", "GATEWAY").get("IP", "")
    return tuple(part.strip() for part in value.split(",")) if value else ()


def from_args(conf: NetConf) -> tuple[str, ...]:
    """Return `args.cni.ips`."""
    args = conf.fields().child("args")
    inner = args.child("cni") if args is not None else None
    return inner.strings("ips") if inner is not None else ()


def from_runtime(conf: NetConf) -> tuple[str, ...]:
    """Return `runtimeConfig.ips`."""
    runtime = conf.fields().child("runtimeConfig")
    return runtime.strings("ips") if runtime is not None else ()


def ipam_fields(conf: NetConf) -> Fields:
    """Return typed access to the `ipam` member.

    Raises:
        BadInput: there is none.
    """
    fields = conf.fields().child("ipam")
    if fields is None:
        raise BadInput(
            "cannot allocate addresses: the network configuration has no ipam",
            remedy="set ipam in the network's configuration",
        )
    return fields


def bare(text: str) -> IPAddress:
    """Read an address, with or without prefix length, which is dropped."""
    return parse_interface(text).ip if "/" in text else parse_address(text)


def bounded(what: str, texts: Sequence[str]) -> Sequence[str]:
    """Return the texts, if there are not more than an attachment may have addresses.

    Raises:
        BadInput: there are more.
    """
    if len(texts) > MAX_IPS_OF_NETCONF:
        raise BadInput(
            f"cannot use {len(texts)} {what}: an attachment has at most {MAX_IPS_OF_NETCONF}",
            remedy="ask for fewer",
        )
    return texts


def declared_routes(ipam: Fields) -> tuple[Route, ...]:
    """Read `ipam.routes`.

    Args:
        ipam: from `ipam_fields`.

    Raises:
        BadInput: one is no route, or there are too many.
    """
    count = len(ipam.objects("routes"))
    if count > MAX_ROUTES:
        raise BadInput(
            f"cannot use {count} routes of ipam: at most {MAX_ROUTES} are allowed",
            remedy="name wider destinations",
        )
    return tuple(parse_route(one) for one in ipam.children("routes"))
