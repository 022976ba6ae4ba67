"""Subnets of a proposed plane, out of the IPAM of NADs: host-local, static, whereabouts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from planes.model.addresses import (
    AddressRange,
    IPAddress,
    IPNetwork,
    parse_address,
    parse_interface,
    parse_network,
    parse_range,
    range_of,
)
from planes.model.errors import BadInput, JsonObject
from planes.model.state.nad_facts import NadFacts

_MOST_EXCLUDED: Final = 32
MOST_SUBNETS: Final = 8
MOST_RANGES: Final = 32


@dataclass(slots=True)
class ProposedSubnet:
    """One subnet: what hands addresses out of it today."""

    cidr: IPNetwork
    gateways: set[IPAddress] = field(default_factory=set)
    spans: set[AddressRange] = field(default_factory=set)
    excluded: set[AddressRange] = field(default_factory=set)
    is_static: bool = False

    def as_json(self) -> JsonObject:
        """Return it as an element of `spec.subnets`."""
        found: JsonObject = {"cidr": str(self.cidr)}
        gateways = [each for each in sorted(self.gateways, key=int) if each in self.cidr]
        if gateways:
            found["gateway"] = str(gateways[0])
        ranges = [] if self._has_whole else list(merged(self.spans))
        inside = [str(each) for each in ranges if each.within(self.cidr)]
        if self.is_static and not self.spans:
            found["staticRanges"] = [str(self.cidr)]
        elif inside:
            found["ranges"] = inside[:MOST_RANGES]
        excluded = [str(each) for each in merged(self.excluded) if each.within(self.cidr)]
        if excluded:
            found["exclude"] = excluded[:_MOST_EXCLUDED]
        return found

    @property
    def _has_whole(self) -> bool:
        whole = range_of(self.cidr)
        return any(each.size >= whole.size - 2 for each in self.spans)


def proposed_subnets(
    facts: Iterable[NadFacts], asked: Iterable[str]
) -> tuple[ProposedSubnet, ...] | None:
    """Return the subnets that NADs hand addresses out of; None where an IPAM does not say.

    Args:
        facts: of NADs that become one plane.
        asked: addresses that their pods ask for, with prefix lengths or without.
    """
    found: dict[IPNetwork, ProposedSubnet] = {}
    is_static = False
    for one in facts:
        if one.ipam_type in {"host-local", "static"}:
            is_static = is_static or one.ipam_type == "static"
            _add_ranges(one, found)
        elif one.ipam_type == "whereabouts":
            for entry in _whereabouts(one.ipam):
                _add_whereabouts(entry, found)
        elif one.ipam_type:
            return None
    if is_static:
        _add_asked(asked, found)
    for each in found.values():
        each.is_static = is_static
    return tuple(sorted(found.values(), key=lambda each: (each.cidr.version, str(each.cidr))))


def merged(spans: Iterable[AddressRange]) -> Iterator[AddressRange]:
    """Yield ranges in order, those that overlap or touch as one."""
    last: AddressRange | None = None
    for span in sorted(spans, key=lambda each: (each.version, int(each.first))):
        if last is None:
            last = span
        elif last.version == span.version and int(span.first) <= int(last.last) + 1:
            last = AddressRange(last.first, max(last.last, span.last, key=int))
        else:
            yield last
            last = span
    if last is not None:
        yield last


def _add_ranges(facts: NadFacts, found: dict[IPNetwork, ProposedSubnet]) -> None:
    for entry in facts.ranges:
        subnet = found.setdefault(entry.subnet, ProposedSubnet(entry.subnet))
        if facts.ipam_type == "host-local":
            subnet.spans.add(entry.span)
        if entry.gateway is not None:
            subnet.gateways.add(entry.gateway)


def _add_asked(asked: Iterable[str], found: dict[IPNetwork, ProposedSubnet]) -> None:
    for text in sorted(asked):
        try:
            network = parse_interface(text).network
        except BadInput:  # without a prefix length it says nothing of a subnet
            continue
        if network.num_addresses > 1:
            found.setdefault(network, ProposedSubnet(network))


def _whereabouts(ipam: JsonObject) -> Iterator[JsonObject]:
    """Yield the ranges of a configuration of whereabouts, each an object with `range`."""
    if ipam.get("range"):
        yield ipam
    several = ipam.get("ipRanges")
    for each in several if isinstance(several, list) else ():
        if isinstance(each, dict):
            yield each


def _add_whereabouts(entry: JsonObject, found: dict[IPNetwork, ProposedSubnet]) -> None:
    text = str(entry.get("range") or "")
    span, _, length = text.rpartition("/")
    try:
        if "-" in span:
            given = parse_range(span)
            network = parse_interface(f"{given.first}/{length}").network
        else:
            network = parse_interface(text).network
            given = _span(network, entry)
    except BadInput:
        return
    subnet = found.setdefault(network, ProposedSubnet(network))
    subnet.spans.add(given)
    if (gateway := _address(entry.get("gateway"))) is not None:
        subnet.gateways.add(gateway)
    excluded = entry.get("exclude")
    for each in (excluded if isinstance(excluded, list) else [])[:_MOST_EXCLUDED]:
        try:
            subnet.excluded.add(_excluded(str(each)))
        except BadInput:
            continue


def _excluded(text: str) -> AddressRange:
    if "-" in text:
        return parse_range(text)
    return range_of(
        parse_network(text if "/" in text else f"{text}/{'128' if ':' in text else 32}")
    )


def _span(network: IPNetwork, entry: JsonObject) -> AddressRange:
    whole = range_of(network)
    first = _address(entry.get("range_start")) or whole.first
    last = _address(entry.get("range_end")) or whole.last
    is_one = first.version == last.version == network.version and int(first) <= int(last)
    return AddressRange(first, last) if is_one else whole


def _address(value: Any) -> IPAddress | None:
    try:
        return parse_address(value) if isinstance(value, str) and value else None
    except BadInput:
        return None
