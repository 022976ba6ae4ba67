"""IPAM type `static`: the addresses that the netconf or the caller names.

CNI_ARGS add to the netconf; `args.cni.ips` replace both, and `runtimeConfig.ips` all.
"""

from __future__ import annotations

from dataclasses import replace

from cni.ipam import requested
from cni.plugins.cni_args import known_args
from cni.plugins.plugin import Call
from planes.model.addresses import parse_address, parse_interface
from planes.model.errors import BadInput, Conflict
from planes.model.wire.cniversion import at_least
from planes.model.wire.dns import parse_dns
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Address, Result


class Static:
    """IPAM type `static`; keeps no state."""

    async def add(self, call: Call, conf: NetConf) -> Result:
        """Return the addresses, routes and DNS.

        Raises:
            BadInput: one of them is wrong.
        """
        return self.take(call, conf)

    async def release(self, call: Call, conf: NetConf) -> None:
        """Do nothing: no address was taken."""

    def take(self, call: Call, conf: NetConf) -> Result:
        """Return the addresses, routes and DNS.

        Raises:
            BadInput: one of them is wrong.
        """
        addresses, ipam = _addresses(call, conf), requested.ipam_fields(conf)
        routes = requested.declared_routes(ipam)
        return Result(ips=addresses, routes=routes, dns=parse_dns(ipam.child("dns")))

    def give_back(self, call: Call, conf: NetConf) -> None:
        """Do nothing: no address was taken."""

    async def check(self, call: Call, conf: NetConf) -> None:
        """Raise where the prevResult has one of the addresses with another gateway.

        Raises:
            BadInput: there is no prevResult.
            Conflict: a gateway differs.
        """
        previous = conf.prev_result()
        if previous is None:
            raise BadInput("cannot check static addresses: required prevResult missing")
        for one in _addresses(call, conf):
            same = next((other for other in previous.ips if other.ip == one.ip), None)
            if same is not None and one.gateway and one.gateway != same.gateway:
                raise Conflict(
                    f"cannot confirm {one.ip} on interface {call.ifname}: its gateway is"
                    f" {same.gateway or 'none'}, not {one.gateway}"
                )

    async def status(self, call: Call, conf: NetConf) -> None:
        """Never raise."""


def _addresses(call: Call, conf: NetConf) -> tuple[Address, ...]:
    replacing = requested.from_runtime(conf) or requested.from_args(conf)
    if replacing:
        found = [_read(text) for text in requested.bounded("addresses", replacing)]
    else:
        declared = requested.ipam_fields(conf).children("addresses")
        asked = requested.from_cni_args(call)
        requested.bounded("addresses", [*(one.string("address") for one in declared), *asked])
        found = [_read(one.string("address"), one.string("gateway")) for one in declared]
        found += [_read(text) for text in asked]
        found = _with_gateways(found, known_args(call, "IP", "GATEWAY").get("GATEWAY", ""))
    for family in (4, 6):
        count = sum(one.family == family for one in found)
        if count > 1 and not at_least(conf.cni_version, "0.3.0"):
            raise BadInput(
                f"cannot use {count} IPv{family} addresses: CNI version {conf.cni_version} does"
                " not support more than 1 address per family",
                remedy="set cniVersion to 0.3.1 or later",
            )
    return tuple(found)


def _read(text: str, gateway: str = "") -> Address:
    interface = parse_interface(text.strip())
    return Address(str(interface), str(parse_address(gateway)) if gateway else "")


def _with_gateways(found: list[Address], gateways: str) -> list[Address]:
    for text in requested.bounded("gateways", [one for one in gateways.split(",") if one]):
        gateway = parse_address(text.strip())
        found = [
            replace(one, gateway=str(gateway))
            if gateway in parse_interface(one.address).network
            else one
            for one in found
        ]
    return found
