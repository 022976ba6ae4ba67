"""What nodes have of a plane, counted again after each change: as if all were counted anew."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, ip_network
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from planes.kube.addresses.holders import Holder, static_object
from planes.kube.addresses.ipblocks import NodeBlock, grid_object
from planes.kube.informers.cache import ObjectCache, ObjectKey
from planes.model.addresses import IPAddress
from planes.model.errors import JsonObject
from planes.store.protocol import AddressOwner
from tests.support.planes import make_plane
from webhook.controller.blocks import Blocks, BlockSeen
from webhook.controller.held_by_nodes import HeldByNodes

PLANES = (
    make_plane(subnets=[{"cidr": "10.9.0.0/24", "staticRanges": ["10.9.0.200-10.9.0.215"]}]),
    make_plane(subnets=[{"cidr": "10.9.0.0/25"}]),
)
BASE = IPv4Address("10.9.0.0")
NODES = st.sampled_from(["n1", "n2", "n3"])


class Seen:
    """The blocks that the leader has seen, and what it counts."""

    def __init__(self) -> None:
        self.blocks = Blocks(lambda _name: None)
        self.held = HeldByNodes(self.blocks.ignored)
        self.cache = ObjectCache(self.blocks.read, on_object=self.changed)

    def changed(self, key: ObjectKey, old: BlockSeen | None, new: BlockSeen | None) -> None:
        self.blocks.changed(key, old, new)
        self.held.changed(key.name, old, new)


def node_block(node: str, length: int, index: int, lent: list[int]) -> JsonObject:
    network = IPv4Network((int(BASE) + ((index % 2) << (32 - length)), length))
    return {
        **NodeBlock("business", node, network).to_json(),
        "lent": [str(network[n % network.num_addresses]) for n in lent],
    }


def static_block(index: int, holders: dict[int, str]) -> JsonObject:
    network = IPv4Network((int(BASE) + (index << 6), 26))
    held: dict[IPAddress, Holder] = {
        network[n]: Holder(AddressOwner(f"c{n}", "net1", "ns", "p", "u", node))
        for n, node in holders.items()
    }
    return static_object("business", network, held, "n1")


OBJECTS = st.one_of(
    st.builds(
        node_block,
        NODES,
        st.sampled_from([25, 26, 27]),
        st.integers(0, 3),
        st.lists(st.integers(0, 63), max_size=6),
    ),
    st.builds(
        static_block,
        st.integers(0, 3),
        st.dictionaries(st.integers(0, 63), NODES, max_size=6),
    ),
    st.sampled_from([25, 26]).map(
        lambda size: grid_object("business", ip_network("10.9.0.0/16"), size, "n1")
    ),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(OBJECTS, st.booleans(), st.sampled_from(PLANES)), max_size=12))
def test_what_is_remembered_changes_no_count(steps: list[tuple[JsonObject, bool, Any]]) -> None:
    seen, now = Seen(), dict[str, JsonObject]()
    for obj, is_gone, plane in steps:
        name = str(obj["metadata"]["name"])
        if is_gone:
            seen.cache.drop(obj)
            now.pop(name, None)
        else:
            seen.cache.put(obj)
            now[name] = obj
        anew = Seen()
        for each in now.values():
            anew.cache.put(each)
        assert seen.held.of(plane) == anew.held.of(plane)


def test_a_lent_address_that_is_held_is_borrowed_and_one_that_is_not_lent_is_not() -> None:
    """The control."""
    seen = Seen()
    seen.cache.put(static_block(0, {1: "n2", 2: "n2"}))
    assert seen.held.of(PLANES[0])[4].borrowed == {"n2": 2}
    seen.cache.put(node_block("n1", 26, 0, [1]))
    assert seen.held.of(PLANES[0])[4].borrowed == {"n2": 1}
