"""How large the blocks are that nodes take from a plane's subnets.

Invariant: within one region (a fixed grid, whatever plane or subnet) all blocks of a plane have
one size, that of the region's grid; so two of them are the same or share no address.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from planes.model.addresses import IPAddress, IPNetwork
from planes.model.spec.plane_spec import Plane, Subnet

DEFAULT_BLOCK: Final[Mapping[int, int]] = {4: 26, 6: 122}
WIDEST_BLOCK: Final[Mapping[int, int]] = {4: 22, 6: 118}
"""1024 addresses: more than any node has pods."""
REGION: Final[Mapping[int, int]] = {4: 16, 6: 104}
STATIC_BLOCK: Final[Mapping[int, int]] = {4: 26, 6: 122}
"""64 addresses: what is told of their holders fits a small object."""

_SHARE_BITS: Final = 3
"""A subnet serves at least eight nodes unless the plane says otherwise."""


def is_block_length(version: int, length: int) -> bool:
    """Report whether the blocks of nodes can have a prefix length."""
    return WIDEST_BLOCK[version] <= length <= (32 if version == 4 else 128)


def block_length(plane: Plane, subnet: Subnet) -> int:
    """Give the prefix length of the blocks a plane wants in a subnet."""
    version, longest = subnet.version, subnet.cidr.max_prefixlen
    given = plane.block_size.get(version)
    if given is not None:
        return max(given, WIDEST_BLOCK[version])
    return min(max(DEFAULT_BLOCK[version], subnet.cidr.prefixlen + _SHARE_BITS), longest)


def grid_length(plane: Plane, region: IPNetwork) -> int:
    """Give the prefix length for a region that has no grid yet: what its smallest subnet wants.

    Only what the first one to ask wants counts: from then on the region keeps its grid.
    """
    wanted = [
        block_length(plane, subnet)
        for subnet in plane.subnets
        if subnet.version == region.version and subnet.cidr.overlaps(region)
    ]
    return max(wanted, default=DEFAULT_BLOCK[region.version])


def network_around(address: IPAddress, length: int) -> IPNetwork:
    """Give the network of a prefix length that an address lies in."""
    spare = address.max_prefixlen - length
    first = type(address)(int(address) >> spare << spare)
    kind = IPv4Network if address.version == 4 else IPv6Network
    return kind((int(first), length))


def region_of(address: IPAddress) -> IPNetwork:
    """Give the region an address lies in."""
    return network_around(address, REGION[address.version])


def static_network_of(address: IPAddress) -> IPNetwork:
    """Give the static block an address belongs to if it is a static one."""
    return network_around(address, STATIC_BLOCK[address.version])
