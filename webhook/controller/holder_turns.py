"""In which order the holders of a static block are looked at: nodes take turns.

A node can ask for as many addresses as the block has holders, and ask again as soon as its requests
are removed. The requests of other nodes must not wait for that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest

from planes.kube.addresses.holders import Holder
from planes.model.addresses import IPAddress

Held = Mapping[IPAddress, Holder]
"""Holders by address."""


def in_turn(
    holders: Held, wanted: Mapping[str, str], rotation: int
) -> Iterator[tuple[IPAddress, Holder]]:
    """Yield the holders of a block, one for each node that waits, then the next of each.

    Args:
        holders: those that are to be looked at.
        wanted: the node that waits for an address, by address.
        rotation: which node is first.
    """
    by_node: dict[str, list[tuple[IPAddress, Holder]]] = {}
    for address, holder in holders.items():
        by_node.setdefault(str(wanted.get(str(address), "")), []).append((address, holder))
    order = sorted(by_node)
    start = rotation % len(order) if order else 0
    rounds = zip_longest(*(by_node[node] for node in (*order[start:], *order[:start])))
    return (one for each in rounds for one in each if one is not None)
