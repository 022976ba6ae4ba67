"""Which addresses a caller asks for: CNI_ARGS IP, `args.cni.ips`, `runtimeConfig.ips`.

Each is read strictly; how they combine is for the IPAM type to say.
"""

from __future__ import annotations

from collections.abc import Sequence

from cni.cni_args import known_args
from cni.plugin import Call
from planes.model.addresses import IPAddress, parse_address, parse_interface
from planes.model.bounds import MAX_IPS_OF_NETCONF, MAX_ROUTES
from planes.model.decode import Fields
from planes.model.errors import BadInput
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Route
from planes.model.wire.result_parts import parse_route


def from_cni_args(call: Call) -> tuple[str, ...]:
    """Give the comma list of CNI_ARGS IP."""
    value = known_args(call, "IP", "GATEWAY").get("IP", "")
    return tuple(part.strip() for part in value.split(",")) if value else ()


def from_args(conf: NetConf) -> tuple[str, ...]:
    """Give `args.cni.ips`."""
    args = conf.fields().child("args")
    inner = args.child("cni") if args is not None else None
    return inner.strings("ips") if inner is not None else ()


def from_runtime(conf: NetConf) -> tuple[str, ...]:
    """Give `runtimeConfig.ips`."""
    runtime = conf.fields().child("runtimeConfig")
    return runtime.strings("ips") if runtime is not None else ()


def ipam_fields(conf: NetConf) -> Fields:
    """Give typed access to the `ipam` member.

    Raises:
        BadInput: there is none.
    """
    fields = conf.fields().child("ipam")
    if fields is None:
        raise BadInput("cannot allocate addresses: the network configuration has no ipam")
    return fields


def bare(text: str) -> IPAddress:
    """Read an address whose prefix length, where written, does not matter."""
    return parse_interface(text).ip if "/" in text else parse_address(text)


def bounded(what: str, texts: Sequence[str]) -> Sequence[str]:
    """Give texts back that are no more than an attachment may have addresses.

    Raises:
        BadInput: they are more.
    """
    if len(texts) > MAX_IPS_OF_NETCONF:
        raise BadInput(
            f"cannot use {len(texts)} {what}: an attachment has at most {MAX_IPS_OF_NETCONF}",
            remedy="ask for fewer",
        )
    return texts


def declared_routes(conf: NetConf) -> tuple[Route, ...]:
    """Read `ipam.routes`.

    Raises:
        BadInput: one is no route, or they are too many.
    """
    fields = ipam_fields(conf)
    count = len(fields.objects("routes"))
    if count > MAX_ROUTES:
        raise BadInput(
            f"cannot use {count} routes of ipam: at most {MAX_ROUTES} are allowed",
            remedy="name wider destinations",
        )
    return tuple(parse_route(one) for one in fields.children("routes"))
