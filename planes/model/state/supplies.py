"""The IPAMs of a configuration, and the addresses that each hands out.

All plugins of a list count, and every spelling of their keys. An IPAM that cannot be read may hand
out any address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Final

from planes.model.addresses import (
    AddressRange,
    IPAddress,
    parse_address,
    parse_network,
    parse_request,
    range_of,
)
from planes.model.bounds import MAX_SUPPLIED, MAX_SUPPLIES
from planes.model.errors import BadInput
from planes.model.state.spellings import Spellings
from planes.model.wire.netconf import ConfList

PLANE_IPAM: Final = "plane"
HOST_LOCAL: Final = "host-local"


@dataclass(frozen=True, slots=True)
class Supply:
    """One IPAM of a configuration.

    Attributes:
        ipam_type: the plugin.
        plane: the plane whose addresses it hands out, for type `plane`.
        fixed: addresses that every pod of the network gets.
        ranges: ranges of which each pod gets an address.
        is_known: False where it may hand out other addresses too.
    """

    ipam_type: str
    plane: str = ""
    fixed: tuple[IPAddress, ...] = ()
    ranges: tuple[AddressRange, ...] = ()
    is_known: bool = True


def supplies_of(conflist: ConfList) -> tuple[Supply, ...]:
    """Return every IPAM of a network that hands out addresses, in order."""
    found: list[Supply] = []
    for plugin in conflist.plugins:
        keys = Spellings(plugin.raw)
        if plugin.type == "flannel":  # addresses of the lease in a file of the node
            found.append(Supply("flannel", is_known=False))
            continue
        for ipam in keys.children("ipam"):
            for type_ in ipam.texts("type"):
                reader = _READERS.get(type_)
                found += [Supply(type_, is_known=False)] if reader is None else reader(ipam, keys)
    kept = [_bounded(supply) for supply in dict.fromkeys(found)]
    if len(kept) > MAX_SUPPLIES:
        kept[MAX_SUPPLIES - 1 :] = [replace(kept[MAX_SUPPLIES - 1], is_known=False)]
    return tuple(kept)


def _bounded(supply: Supply) -> Supply:
    """Return a supply with a bounded number of addresses; cut, it is not known any more."""
    if max(len(supply.fixed), len(supply.ranges)) <= MAX_SUPPLIED:
        return supply
    return replace(
        supply,
        fixed=supply.fixed[:MAX_SUPPLIED],
        ranges=supply.ranges[:MAX_SUPPLIED],
        is_known=False,
    )


def _plane(ipam: Spellings, keys: Spellings) -> list[Supply]:
    return [Supply(PLANE_IPAM, plane=name) for name in ipam.texts("plane") or [""]]


def _static(ipam: Spellings, keys: Spellings) -> list[Supply]:
    texts = [text for entry in ipam.children("addresses") for text in entry.all("address")]
    for runtime in keys.children("runtimeConfig"):
        texts += _listed(runtime, "ips")
    for args in keys.children("args"):
        for cni in args.children("cni"):
            texts += _listed(cni, "ips")
    read = [_address(text) for text in texts]
    fixed = tuple(address for address in read if address is not None)
    return [Supply("static", fixed=fixed, is_known=len(fixed) == len(read))]


def _host_local(ipam: Spellings, keys: Spellings) -> list[Supply]:
    entries = [ipam] if ipam.all("subnet") else []
    lists = ipam.all("ranges")
    for runtime in keys.children("runtimeConfig"):
        lists = [*lists, *runtime.all("ipRanges")]
    for sets in lists:
        for each in sets if isinstance(sets, list) else ():
            entries += [Spellings(entry) for entry in _dicts(each)]
    read = [_range(entry) for entry in entries]
    ranges = tuple(span for span in read if span is not None)
    return [Supply(HOST_LOCAL, ranges=ranges, is_known=0 < len(ranges) == len(read))]


def _range(entry: Spellings) -> AddressRange | None:
    """Read a range; its whole subnet where ends are written in several ways, None if unreadable."""
    subnets = entry.all("subnet")
    if len(subnets) != 1 or not isinstance(subnets[0], str):
        return None
    try:
        whole = range_of(parse_network(subnets[0]))
        ends = [entry.all("rangeStart"), entry.all("rangeEnd")]
        if any(len(values) > 1 for values in ends):
            return whole
        first, last = (parse_address(str(values[0])) if values else None for values in ends)
    except BadInput:
        return None
    first, last = first or whole.first, last or whole.last
    is_sound = first.version == last.version and int(first) <= int(last)
    return AddressRange(first, last) if is_sound else None


def _whereabouts(ipam: Spellings, keys: Spellings) -> list[Supply]:
    texts = ipam.all("range")
    for entry in ipam.children("ipRanges"):
        texts = [*texts, *entry.all("range")]
    read = [_network(text) for text in texts]
    ranges = tuple(span for span in read if span is not None)
    return [Supply("whereabouts", ranges=ranges, is_known=0 < len(ranges) == len(read))]


def _network(text: object) -> AddressRange | None:
    """Return the whole network of `a-b/n` or `a/n`: whereabouts takes host bits."""
    try:
        return range_of(ip_network(str(text).rpartition("-")[2].strip(), strict=False))
    except ValueError:
        return None


def _dicts(value: object) -> list[Mapping[str, object]]:
    found = value if isinstance(value, list) else [value]
    return [entry for entry in found if isinstance(entry, dict)]


def _listed(keys: Spellings, key: str) -> list[object]:
    return [text for value in keys.all(key) if isinstance(value, list) for text in value]


def _address(text: object) -> IPAddress | None:
    try:
        return parse_request(text)[0] if isinstance(text, str) else None
    except BadInput:
        return None


_Reader = Callable[[Spellings, Spellings], list[Supply]]
_READERS: Final[Mapping[str, _Reader]] = {
    PLANE_IPAM: _plane,
    "static": _static,
    HOST_LOCAL: _host_local,
    "whereabouts": _whereabouts,
}
