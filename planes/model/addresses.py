"""IP addresses and ranges of them, parsed strictly.

IPv4-mapped IPv6 becomes IPv4, upper-case and uncompressed IPv6 compare equal, and zero-padded or
otherwise ambiguous text is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)

from planes.model.errors import BadInput
from planes.model.names import shown

IPAddress = IPv4Address | IPv6Address
IPInterface = IPv4Interface | IPv6Interface
IPNetwork = IPv4Network | IPv6Network

_MAPPED_BITS = 96


def parse_address(text: str) -> IPAddress:
    """Read one bare address.

    Raises:
        BadInput: it is not an address, or has a zone or a prefix length.
    """
    try:
        address = IPv6Address(text) if ":" in text else IPv4Address(text)
    except ValueError as error:
        raise BadInput(
            f"cannot read {shown(text)} as an IP address",
            remedy="write an address such as 192.168.10.5 or fd00::5, without leading zeros",
        ) from error
    if "%" in text:
        raise BadInput(
            f"cannot read {shown(text)} as an IP address: it has a zone",
            remedy="write the address without %zone",
        )
    return _unmapped(address)


def parse_request(text: str) -> tuple[IPAddress, int | None]:
    """Read a requested address, `a` or `a/b`; return the address and the prefix length.

    Raises:
        BadInput: it is neither.
    """
    head, slash, tail = text.partition("/")
    if not slash:
        return parse_address(text), None
    try:
        address = parse_address(head)
    except BadInput:
        address = None
    if address is None or not _is_prefix_length(tail):
        raise _no_interface(text)
    length = int(tail)
    if address.version == 4 and ":" in head:
        length -= _MAPPED_BITS
    if not 0 <= length <= address.max_prefixlen:
        raise _no_interface(text)
    return address, length


def _no_interface(text: str) -> BadInput:
    return BadInput(
        f"cannot read {shown(text)} as an address with prefix length",
        remedy="write address/length such as 192.168.10.5/24, without leading zeros",
    )


def _unmapped(address: IPAddress) -> IPAddress:
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def parse_interface(text: str) -> IPInterface:
    """Read an address with its prefix length, "a/b".

    Raises:
        BadInput: it is not of that form.
    """
    address, length = parse_request(text)
    if length is None:
        raise _no_interface(text)
    if isinstance(address, IPv4Address):
        return IPv4Interface((address, length))
    return IPv6Interface((address, length))


def _is_prefix_length(text: str) -> bool:
    return len(text) <= 3 and text.isascii() and text.isdigit() and (text == "0" or text[0] != "0")


def parse_network(text: str) -> IPNetwork:
    """Read a CIDR without host bits.

    Raises:
        BadInput: it is none; with host bits the remedy names the network.
    """
    try:
        written = parse_interface(text)
    except BadInput as error:
        raise BadInput(
            f"cannot read {shown(text)} as a CIDR", remedy="write one such as 192.168.0.0/16"
        ) from error
    if written.ip != written.network.network_address:
        raise BadInput(
            f"cannot read {shown(text)} as a CIDR: it has host bits",
            remedy=f"write {written.network} for the network, or {written.ip} for one address",
        )
    return written.network


@dataclass(frozen=True, slots=True)
class AddressRange:
    """Addresses of one family from `first` to `last`, both included."""

    first: IPAddress
    last: IPAddress

    def __contains__(self, address: object) -> bool:
        """Report whether an address is in the range; one of the other family never is."""
        if not isinstance(address, IPv4Address | IPv6Address):
            return False
        return address.version == self.first.version and (
            int(self.first) <= int(address) <= int(self.last)
        )

    @property
    def size(self) -> int:
        """The number of addresses; `len()` fails for an IPv6 range beyond 2**63."""
        return int(self.last) - int(self.first) + 1

    def __len__(self) -> int:
        return self.size

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[IPAddress]:
        return self.starting_at(self.first)

    def starting_at(self, address: IPAddress) -> Iterator[IPAddress]:
        """Yield the addresses from the given one up, lazily."""
        family = type(self.first)
        for number in range(max(int(address), int(self.first)), int(self.last) + 1):
            yield family(number)

    def nth(self, index: int) -> IPAddress:
        """Return the address at an index from 0; `IndexError` beyond the end."""
        if not 0 <= index < self.size:
            raise IndexError(index)
        return type(self.first)(int(self.first) + index)

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.first.version

    def within(self, network: IPNetwork) -> bool:
        """Report whether all of it is in a network."""
        return self.first in network and self.last in network

    def overlaps(self, other: AddressRange) -> bool:
        """Report whether they share an address."""
        return (
            self.version == other.version
            and int(self.first) <= int(other.last)
            and int(other.first) <= int(self.last)
        )

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


def range_of(network: IPNetwork) -> AddressRange:
    """Return all addresses of a network, the first and the last included."""
    return AddressRange(network.network_address, network.broadcast_address)


def parse_range(text: str) -> AddressRange:
    """Read an address, a range "first-last" or a CIDR.

    Raises:
        BadInput: it is none of them, mixes families or ends before it starts.
    """
    written = text.strip()
    if "-" in written:
        head, _, tail = written.partition("-")
        first, last = parse_address(head.strip()), parse_address(tail.strip())
        if first.version != last.version:
            raise BadInput(
                f"cannot read range {shown(text)}: it mixes IPv4 and IPv6",
                remedy="give both ends in one family",
            )
        if int(first) > int(last):
            raise BadInput(
                f"cannot read range {shown(text)}: it ends before it starts",
                remedy=f"write {last}-{first}",
            )
        return AddressRange(first, last)
    if "/" in written:
        return range_of(parse_network(written))
    address = parse_address(written)
    return AddressRange(address, address)


def overlapping(ranges: Sequence[AddressRange]) -> list[tuple[int, int]]:
    """Return index pairs of ranges that overlap, the lower index first, ordered by the higher one.

    Not every pair is listed, but at least one where any two overlap. Ranges are sorted and not
    compared pair by pair: any peer of the admission port may send a plane with a thousand of them.
    """
    found: list[tuple[int, int]] = []
    order = sorted(
        range(len(ranges)), key=lambda at: (ranges[at].version, int(ranges[at].first), at)
    )
    widest = None  # of the ranges that begin before, the one that ends last
    for here in order:
        if widest is not None and ranges[widest].overlaps(ranges[here]):
            found.append((min(widest, here), max(widest, here)))
        if widest is None or _end(ranges[widest]) < _end(ranges[here]):
            widest = here
    return sorted(found, key=lambda pair: (pair[1], pair[0]))


def _end(span: AddressRange) -> tuple[int, int]:
    return span.version, int(span.last)
