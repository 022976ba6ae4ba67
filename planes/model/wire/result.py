"""The result of an ADD: interfaces, addresses, routes, DNS, in the canonical (1.1.0) form.

Every spec version is read into this form and written from it (spec 1.1.0 §5; conversions as in
libcni). Each address has one spelling (`fd00::5/64`) and keeps its host bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from planes.model.bounds import MAX_INTERFACES, MAX_RESULT_IPS, MAX_RESULT_ROUTES
from planes.model.decode import Fields, kind_of, loads
from planes.model.encode import pretty
from planes.model.errors import BadInput, CniCode, JsonObject
from planes.model.wire.cniversion import OLDEST, check_supported
from planes.model.wire.dns import NO_DNS, Dns, parse_dns
from planes.model.wire.result_parts import (
    Address,
    Interface,
    Route,
    parse_interface,
    parse_ip,
    parse_route,
)

__all__ = ["Address", "Dns", "Interface", "Result", "Route", "encode_result", "parse_result"]

_WHAT: Final = "the CNI result"
_FAMILY: Final = {
    "0.1.0": 2,
    "0.2.0": 2,
    "0.3.0": 4,
    "0.3.1": 4,
    "0.4.0": 4,
    "1.0.0": 10,
    "1.1.0": 10,
}


@dataclass(frozen=True)
class Result:
    """The result of an ADD, of one plugin or of a whole conflist."""

    interfaces: tuple[Interface, ...] = ()
    ips: tuple[Address, ...] = ()
    routes: tuple[Route, ...] = ()
    dns: Dns = NO_DNS

    def to_version(self, version: str) -> JsonObject:
        """Return the JSON form of a spec version, members in that version's order.

        Raises:
            BadInput: code 1; the version is not supported, or has no form for a result without an
                address.
        """
        meant = check_supported(version)
        family = _FAMILY[meant]
        if family == 2:
            return self._to_two(meant)
        members = self._canonical if family == 10 else self._members(canonical=False)
        return {"cniVersion": meant, **members}

    @cached_property
    def _canonical(self) -> JsonObject:
        """The members of the canonical form; a pod's result is journaled, passed on and printed."""
        return self._members(canonical=True)

    def _members(self, *, canonical: bool) -> JsonObject:
        obj: JsonObject = {}
        if self.interfaces:
            obj["interfaces"] = [link.to_json(canonical=canonical) for link in self.interfaces]
        if self.ips:
            obj["ips"] = [address.to_json(canonical=canonical) for address in self.ips]
        if self.routes:
            obj["routes"] = [route.to_json() for route in self.routes]
        if self.dns or not canonical:
            obj["dns"] = self.dns.to_json()
        return obj

    def _to_two(self, version: str) -> JsonObject:
        """Return the form of 0.1.0 and 0.2.0: the first address of each family, with its routes."""
        obj: JsonObject = {"cniVersion": version}
        for family in (4, 6):
            first = next((ip for ip in self.ips if ip.family == family), None)
            if first is not None:
                obj[f"ip{family}"] = _two_address(first, self.routes)
        if len(obj) == 1:
            raise BadInput(
                f"cannot convert the result to cniVersion {version}: no valid IP addresses",
                remedy="use cniVersion 0.3.1 or newer for a network without addresses",
                code=CniCode.INCOMPATIBLE_VERSION,
            )
        obj["dns"] = self.dns.to_json()
        return obj


def _two_address(address: Address, routes: tuple[Route, ...]) -> JsonObject:
    obj: JsonObject = {"ip": address.address}
    if address.gateway:
        obj["gateway"] = address.gateway
    kept = [Route(r.dst, r.gw).to_json() for r in routes if r.family == address.family]
    if kept:
        obj["routes"] = kept
    return obj


def encode_result(result: Result, version: str) -> bytes:
    """Return a result as the reference plugins print it: four spaces, no final newline.

    Raises:
        BadInput: see `Result.to_version`.
    """
    obj = result.to_version(version)
    # from 1.0.0 on the reference encodes a map, which sorts the members
    return pretty(obj, _WHAT, sort_keys=_FAMILY[obj["cniVersion"]] == 10)


def result_version(obj: JsonObject, default_version: str) -> str:
    """Return the version of a result: its own, else the default.

    Raises:
        BadInput: code 6 for a wrong type, 1 for a version that is not supported.
    """
    return check_supported(Fields(obj, _WHAT).string("cniVersion") or default_version)


def same_form(version: str, other: str) -> bool:
    """Report whether results of two supported versions have one form."""
    return _FAMILY[version or OLDEST] == _FAMILY[other or OLDEST]


def parse_result(data: bytes | JsonObject, *, default_version: str) -> Result:
    """Read a result of any version; without a version of its own it has the default one.

    `null` is an empty result, as for libcni.

    Raises:
        BadInput: code 6; it is no result. Code 1; its version is not supported.
    """
    obj = data if isinstance(data, dict) else loads(data, _WHAT)
    if obj is None:
        obj = {}
    if not isinstance(obj, dict):
        raise BadInput(
            f"cannot read {_WHAT}: it must be an object, not {kind_of(obj)}", code=CniCode.DECODE
        )
    family = _FAMILY[result_version(obj, default_version)]
    fields = Fields(obj, _WHAT)
    dns = parse_dns(fields.child("dns"))
    if family == 2:
        return _parse_two(fields, dns)
    return Result(
        interfaces=tuple(
            parse_interface(link, canonical=family == 10)
            for link in _bounded(fields, "interfaces", MAX_INTERFACES)
        ),
        ips=tuple(parse_ip(ip) for ip in _bounded(fields, "ips", MAX_RESULT_IPS)),
        routes=tuple(parse_route(route) for route in _bounded(fields, "routes", MAX_RESULT_ROUTES)),
        dns=dns,
    )


def _bounded(fields: Fields, key: str, limit: int) -> list[Fields]:
    """Return the elements of a list of a plugin's result, of bounded length."""
    count = len(fields.objects(key))
    if count > limit:
        raise fields.bad(key, f"has {count} elements; at most {limit} are allowed")
    return fields.children(key)


def _parse_two(fields: Fields, dns: Dns) -> Result:
    """Read the 0.1.0 and 0.2.0 form: at most one address a family, each with its routes."""
    ips: list[Address] = []
    routes: list[Route] = []
    for key in ("ip4", "ip6"):
        ip = fields.child(key)
        if ip is None:
            continue
        address = parse_ip(ip, "ip")
        ips.append(Address(address.address, address.gateway))
        written = map(parse_route, _bounded(ip, "routes", MAX_RESULT_ROUTES))
        routes += [Route(route.dst, route.gw) for route in written]
    return Result(ips=tuple(ips), routes=tuple(routes), dns=dns)
