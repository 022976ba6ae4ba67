"""Sizes of the address blocks that nodes take from a plane's subnets.

Invariant: within one region (a network of fixed size, the same for all planes) all blocks of a
plane have one size, that of the region's grid; so two blocks are equal or share no address.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from planes.model.addresses import IPAddress, IPNetwork
from planes.model.spec.plane_spec import Plane
from planes.model.spec.subnet import Subnet

DEFAULT_BLOCK: Final[Mapping[int, int]] = {4: 26, 6: 122}
WIDEST_BLOCK: Final[Mapping[int, int]] = {4: 22, 6: 118}
"""1024 addresses: more than any node has pods."""
REGION: Final[Mapping[int, int]] = {4: 16, 6: 104}
STATIC_BLOCK: Final[Mapping[int, int]] = {4: 26, 6: 122}
"""64 addresses: their holders fit into a small object."""

_SHARE_BITS: Final = 3
"""A subnet serves at least eight nodes unless the plane says otherwise."""


def is_block_length(version: int, length: int) -> bool:
    """Report whether blocks of nodes may have a prefix length."""
    return WIDEST_BLOCK[version] <= length <= (32 if version == 4 else 128)


def block_length(plane: Plane, subnet: Subnet) -> int:
    """Return the prefix length for blocks of a plane in a subnet."""
    version, longest = subnet.version, subnet.cidr.max_prefixlen
    given = plane.block_size.get(version)
    if given is not None:
        return max(given, WIDEST_BLOCK[version])
    return min(max(DEFAULT_BLOCK[version], subnet.cidr.prefixlen + _SHARE_BITS), longest)


def grid_length(plane: Plane, region: IPNetwork) -> int:
    """Return the prefix length for a region without a grid: that of its smallest subnet.

    The first node that takes a block sets it; the region keeps its grid from then on.
    """
    wanted = [
        block_length(plane, subnet)
        for subnet in plane.subnets
        if subnet.version == region.version and subnet.cidr.overlaps(region)
    ]
    return max(wanted, default=DEFAULT_BLOCK[region.version])


def network_around(address: IPAddress, length: int) -> IPNetwork:
    """Return the network of a prefix length that has an address."""
    spare = address.max_prefixlen - length
    first = type(address)(int(address) >> spare << spare)
    kind = IPv4Network if address.version == 4 else IPv6Network
    return kind((int(first), length))


def region_of(address: IPAddress) -> IPNetwork:
    """Return the region of an address."""
    return network_around(address, REGION[address.version])


def static_network_of(address: IPAddress) -> IPNetwork:
    """Return the static block an address belongs to if it is a static one."""
    return network_around(address, STATIC_BLOCK[address.version])
