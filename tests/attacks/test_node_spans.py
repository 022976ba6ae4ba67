"""Somebody who has taken a node lists addresses in its blocks that are none of theirs, and many."""

from __future__ import annotations

import tracemalloc
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planes.kube.addresses.block_spans import read_bits, read_spans
from planes.kube.addresses.ipblocks import NodeBlock, grid_object, read_node_block
from planes.kube.informers.cache import ObjectCache, ObjectKey
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import IPAddress, IPNetwork, parse_range
from planes.model.errors import BadInput, JsonObject, PlanesError
from planes.model.spans import SpanSet
from tests.attacks.test_node_many_blocks import networks
from tests.kube.addresses.lending_scene import running
from tests.support.planes import make_plane
from webhook.controller.blocks import Blocks, BlockSeen
from webhook.controller.held_by_nodes import HeldByNodes

MOST = [f"fd00:0:0:{n:x}::1-fd00:0:0:{n:x}::ffff:1" for n in range(1100)]
"""As many ranges as the definition permits."""
EACH_SECOND = [str(ip_address("10.9.0.0") + n) for n in range(0, 1024, 2)]


def with_spans(network: IPNetwork, lent: list[str], **spec: Any) -> JsonObject:
    obj = NodeBlock("business", "n9", network).to_json()
    return {**obj, "spec": {**obj["spec"], **spec}, "lent": lent}


@pytest.mark.parametrize("text", ["::-ffff::", "fd00::-fd00::ffff:ffff:ffff:ffff"])
def test_node_lends_more_addresses_than_its_block_has_and_nobody_counts_them(text: str) -> None:
    """Every address was tried, in the event loop of the daemon that borrows: it never came back."""
    (network,) = (ip_network("fd00::400/118"),)
    block = read_node_block(with_spans(network, [text], static=[text]))
    assert block is not None
    assert [span.size for span in (*block.lent, *block.static)] == [1024, 1024]


async def test_node_lends_all_but_its_own_addresses_and_another_asks_for_few(
    tmp_path: Path,
) -> None:
    """Each other address of the plane was tried for each block: hours in a plane of a /12."""
    plane = make_plane(subnets=[{"cidr": "10.9.0.0/28"}], ipam={"blockSize": 30})
    async with running(tmp_path, "n1", plane=plane) as nodes:
        grid = grid_object("business", ip_network("10.9.0.0/16"), 30, "n9")
        nodes.kube.put_object(IPBLOCKS, grid)
        for network in networks(4, 30, "10.9.0.0"):
            around = [f"0.0.0.0-{network[0] - 1}", f"{network[-1] + 1}-255.255.255.255"]
            nodes.kube.put_object(IPBLOCKS, with_spans(network, around))
        nodes.kube.requests.clear()
        with pytest.raises(PlanesError, match="no answer from n9"):
            await nodes.take("n1")
        assert not [asked for asked in nodes.kube.requests if "static" in str(asked)]


def test_node_makes_the_leader_remember_a_bit_for_each_address_and_no_ranges() -> None:
    """4,096 blocks took 1.8 GiB, of the 512 MiB that the leader has."""
    held = Blocks(lambda _name: None)
    counted = HeldByNodes(held.ignored)

    def changed(key: ObjectKey, old: BlockSeen | None, new: BlockSeen | None) -> None:
        held.changed(key, old, new)
        counted.changed(key.name, old, new)

    cache = ObjectCache(held.read, on_object=changed)
    base, objects = int(ip_address("fd00::")), 100
    blocks = [
        with_spans(ip_network((base + (n << 10), 118)), MOST[:512], static=MOST)
        for n in range(objects)
    ]
    blocks[0] = with_spans(ip_network("10.9.0.0/22"), EACH_SECOND, static=EACH_SECOND)
    tracemalloc.start()
    try:
        for obj in blocks:
            cache.put(obj)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(cache) == objects
    assert size < objects * 8192


def test_what_is_lent_is_not_counted_as_handed_out() -> None:
    """The control: a plane's counts go by the bits."""
    held = Blocks(lambda _name: None)
    counted = HeldByNodes(held.ignored)
    cache = ObjectCache(
        held.read, on_object=lambda key, old, new: counted.changed(key.name, old, new)
    )
    cache.put(with_spans(ip_network("10.9.0.0/22"), EACH_SECOND, static=["10.9.0.1-10.9.0.9"]))
    plane = make_plane(subnets=[{"cidr": "10.9.0.0/16"}])
    # 1,024, without the network's address; 511 more that are lent; 5 static ones that are not.
    assert counted.of(plane)[4].own == {"n9": 1024 - 512 - 5}


ADDRESSES = st.one_of(
    st.integers(0, 2**32 - 1).map(lambda n: str(ip_address(n))),
    st.integers(0, 1100).map(lambda n: str(ip_address("10.8.255.240") + n)),
    st.integers(0, 1100).map(lambda n: str(ip_address("fd00::3f0") + n)),
    st.sampled_from(["", "x", "1.2.3", "010.9.0.1", "fe80::1%eth0", "10.9.0.0/30", "::1.2.3.4"]),
    st.text(max_size=12),
)
TEXTS = st.one_of(ADDRESSES, st.tuples(ADDRESSES, ADDRESSES).map("-".join))


@settings(deadline=None, max_examples=300)
@given(
    st.lists(TEXTS, max_size=5),
    st.sampled_from([ip_network("10.9.0.0/22"), ip_network("fd00::400/118")]),
)
def test_the_addresses_that_are_read_are_those_of_the_texts_inside_of_the_block(
    texts: list[str], network: IPNetwork
) -> None:
    try:
        whole = SpanSet([parse_range(text) for text in texts])
    except BadInput:
        with pytest.raises(BadInput):
            read_spans(texts, network, "it")
        return
    spans = read_spans(texts, network, "it")
    expected: list[IPAddress] = [address for address in network if address in whole]
    assert [address for span in spans for address in span] == expected
    bits = read_bits(texts, network, "it")
    base = int(network.network_address)
    assert [n for n in range(1024) if bits >> n & 1] == [int(a) - base for a in expected]
