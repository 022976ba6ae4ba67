"""The ranges of a host-local netconf, and the order in which their addresses are allocated.

Rules, defaults and errors are the reference plugin's, since both allocate from one directory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from itertools import pairwise
from typing import Any

from planes.model.addresses import IPAddress, IPNetwork, parse_address
from planes.model.bounds import MAX_RANGES
from planes.model.decode import Fields
from planes.model.errors import BadInput
from planes.model.wire.netconf import NetConf

_MOST_KNOWN = 256
_REMEDY = "correct ipam in the network's configuration"


@dataclass(frozen=True, slots=True)
class Range:
    """Addresses first to last of a subnet; the gateway is never allocated."""

    subnet: IPNetwork
    first: IPAddress
    last: IPAddress
    gateway: IPAddress

    def __contains__(self, address: IPAddress) -> bool:
        return address.version == self.first.version and int(self.first) <= int(address) <= int(
            self.last
        )

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True)
class RangeSet:
    """Ranges of one family, of which an attachment gets one address."""

    ranges: tuple[Range, ...]

    def range_of(self, address: IPAddress) -> Range | None:
        """Return the range that an address is in."""
        return next((one for one in self.ranges if address in one), None)

    def after(self, last: IPAddress | None) -> Iterator[tuple[IPAddress, Range]]:
        """Yield every address once, beginning after `last`; no gateways."""
        start = self.range_of(last) if last is not None else None
        at = self.ranges.index(start) if start is not None else 0
        first = int(last) + 1 if start is not None and last is not None else None
        yield from self._span(at, first, None)
        for step in range(1, len(self.ranges)):
            yield from self._span((at + step) % len(self.ranges), None, None)
        if first is not None:
            yield from self._span(at, None, first)

    def _span(
        self, at: int, first: int | None, end: int | None
    ) -> Iterator[tuple[IPAddress, Range]]:
        one = self.ranges[at]
        kind = type(one.first)
        low = int(one.first) if first is None else first
        high = int(one.last) + 1 if end is None else end
        gateway = int(one.gateway) if one.gateway.version == one.first.version else -1
        for number in range(low, high):
            if number != gateway:
                yield kind(number), one

    def __str__(self) -> str:
        return ",".join(str(one) for one in self.ranges)


class RangeReader:
    """Reads netconfs, and caches the ranges of each network.

    Reading takes 0.1 ms of an ADD of 2 ms.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[Any, Any, tuple[RangeSet, ...]]] = {}

    def read(self, conf: NetConf) -> tuple[RangeSet, ...]:
        """Read and check the range sets of a configuration, runtimeConfig.ipRanges first.

        Raises:
            BadInput: no ranges, a bad one, or ranges that overlap.
        """
        ipam, runtime = conf.ipam, conf.runtime_config.get("ipRanges")
        known = self._known.get(conf.name)
        if known is not None and known[0] == ipam and known[1] == runtime:
            return known[2]
        found = range_sets(conf)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[conf.name] = (ipam, runtime, found)
        return found


def range_sets(conf: NetConf) -> tuple[RangeSet, ...]:
    """Read and check the range sets of a configuration, runtimeConfig.ipRanges first.

    Raises:
        BadInput: no ranges, a bad one, or ranges that overlap.
    """
    fields = conf.fields()
    written: list[list[Fields]] = []
    runtime = fields.child("runtimeConfig")
    if runtime is not None:
        written += _sets(runtime, "ipRanges")
    ipam = fields.child("ipam")
    if ipam is not None:
        if ipam.string("subnet"):
            written.append([ipam])
        written += _sets(ipam, "ranges")
    if not written:
        raise BadInput(
            "cannot allocate addresses: no IP ranges specified",
            remedy="set ipam.subnet or ipam.ranges in the network's configuration",
        )
    _check_number(written)
    sets = tuple(_range_set(index, one) for index, one in enumerate(written))
    _check_overlaps(sets)
    return sets


def _check_number(written: list[list[Fields]]) -> None:
    count = sum(max(len(one), 1) for one in written)
    if count > MAX_RANGES:
        raise BadInput(
            f"cannot use {count} address ranges: a network has at most {MAX_RANGES}",
            remedy="name wider ranges, or several networks",
        )


def _sets(fields: Fields, key: str) -> list[list[Fields]]:
    value = fields.raw(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise fields.wrong(key, "a list of lists", value)
    return [
        Fields({"set": one}, f"{key}[{index}]").children("set") for index, one in enumerate(value)
    ]


def _range_set(index: int, written: list[Fields]) -> RangeSet:
    if not written:
        raise BadInput(f"cannot use range set {index}: it is empty", remedy=_REMEDY)
    try:
        found = RangeSet(tuple(_range(one) for one in written))
    except BadInput as error:
        raise BadInput(
            f"cannot use range set {index}: {error.message}",
            remedy=error.remedy or _REMEDY,
        ) from error
    if len({one.first.version for one in found.ranges}) > 1:
        raise BadInput(
            f"cannot use range set {index}: mixed address families",
            remedy="put IPv4 and IPv6 ranges into sets of their own",
        )
    return found


def _check_overlaps(sets: tuple[RangeSet, ...]) -> None:
    """Check that no address is in two ranges: sorted, each is compared with the one before.

    Raises:
        BadInput: one is.
    """
    placed = [(one, index) for index, found in enumerate(sets) for one in found.ranges]
    placed.sort(key=lambda place: (place[0].first.version, int(place[0].first)))
    for (one, index), (other, other_index) in pairwise(placed):
        if other.first not in one:
            continue
        if index == other_index:
            raise BadInput(
                f"cannot use range set {index}: subnet {one} overlaps with {other}", remedy=_REMEDY
            )
        first, second = sorted((index, other_index))
        raise BadInput(f"cannot use range set {first}: it overlaps with {second}", remedy=_REMEDY)


def _range(fields: Fields) -> Range:
    text = fields.string("subnet")
    try:
        subnet = ip_network(text)
    except ValueError as error:
        raise BadInput(f"cannot use subnet {text!r}: {error}") from error
    if subnet.prefixlen > subnet.max_prefixlen - 2:
        raise BadInput(f"cannot use subnet {subnet}: too small to allocate from")
    lowest = subnet.network_address + 1
    highest = subnet.broadcast_address - (1 if subnet.version == 4 else 0)
    found = Range(
        subnet,
        _inside(fields, "rangeStart", subnet, lowest),
        _inside(fields, "rangeEnd", subnet, highest),
        _address(fields, "gateway") or lowest,
    )
    if int(found.first) > int(found.last):
        raise BadInput(f"cannot use range {found}: its end is before its start")
    return found


def _address(fields: Fields, key: str) -> IPAddress | None:
    text = fields.string(key)
    return parse_address(text) if text else None


def _inside(fields: Fields, key: str, subnet: IPNetwork, default: IPAddress) -> IPAddress:
    address = _address(fields, key)
    if address is None:
        return default
    if address.version != subnet.version or address not in subnet:
        raise BadInput(f"cannot use {key} {address}: not in network {subnet}")
    return address


def as_address(text: str) -> IPAddress | None:
    """Read a file's name or content as an address; None for any other text."""
    try:
        return ip_address(text.strip())
    except ValueError:
        return None
