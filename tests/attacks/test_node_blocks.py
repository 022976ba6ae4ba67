"""IPBlocks that somebody forged, where no policy kept them out: readers skip what does not fit."""

from __future__ import annotations

import asyncio
import json
import resource
import time
from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planes.kube.addresses.address_book import KubeAddressBook
from planes.kube.addresses.holders import held_in, read_static
from planes.kube.addresses.ipblocks import (
    NodeBlock,
    grid_object,
    read_grid,
    read_node_block,
    read_shape,
)
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import IPNetwork
from planes.model.errors import BadInput, Conflict, Internal, JsonObject, PlanesError
from planes.model.spec.blocks import block_name
from planes.run.clock import SystemClock
from planes.store.protocol import AddressOwner
from tests.support.kube.fake_kube import FakeKube
from tests.support.planes import make_plane

PLANE = make_plane(
    subnets=[{"cidr": "10.9.0.0/24", "staticRanges": ["10.9.0.200-10.9.0.215"]}],
    staticIPs={"allow": "Any"},
    ipam={"blockSize": 28},
)


def owner(number: int, node: str = "n1") -> AddressOwner:
    return AddressOwner(f"c{number}", "net1", "ns", f"p{number}", f"uid-{number}", node)


def book_of(kube: FakeKube, state: Path, node: str) -> KubeAddressBook:
    return KubeAddressBook(kube, node, state / node, SystemClock())


def forge(kube: FakeKube, cidr: str, node: str = "n1", **spec: Any) -> None:
    """Put a block of a node under the name that its cidr gives it."""
    obj = NodeBlock("business", node, ip_network(cidr)).to_json()
    kube.put_object(IPBLOCKS, {**obj, "spec": {**obj["spec"], **spec}})


async def take(book: KubeAddressBook, number: int, node: str) -> str:
    (claimed,) = await book.claim(PLANE, owner(number, node))
    return claimed.address.partition("/")[0]


@pytest.mark.parametrize(
    "cidr", ["10.9.0.0/24", "10.9.0.0/22", "10.9.0.0/16", "0.0.0.0/0", "10.9.0.0/27", "10.9.0.8/29"]
)
async def test_node_a_forged_block_makes_no_other_node_hand_out_what_is_in_use(
    tmp_path: Path, cidr: str
) -> None:
    """Node n2 has pods; then n1 starts anew and finds a block in its name that overlaps theirs."""
    kube = FakeKube()
    two = book_of(kube, tmp_path, "n2")
    taken = {await take(two, number, "n2") for number in range(60)}
    forge(kube, cidr)
    one = book_of(kube, tmp_path, "n1")
    got = set()
    for number in range(100, 160):
        try:
            got.add(await take(one, number, "n1"))
        except PlanesError:
            break
    assert got
    assert not got & taken


@pytest.mark.parametrize("cidr", ["0.0.0.0/0", "::/0"])
async def test_node_a_block_of_all_addresses_holds_no_event_loop_and_no_memory(
    tmp_path: Path, cidr: str
) -> None:
    """It took 1.7 GiB and never came back."""
    kube = FakeKube()
    forge(kube, cidr, static=["10.9.0.1"])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.monotonic()
    async with asyncio.timeout(20):
        assert await take(book_of(kube, tmp_path, "n1"), 1, "n1")
    assert time.monotonic() - begun < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


async def test_node_a_forged_block_keeps_nobody_from_a_static_address(tmp_path: Path) -> None:
    kube = FakeKube()
    kube.put_object(IPBLOCKS, grid_object("business", ip_network("10.9.0.0/16"), 28))
    obj = NodeBlock("business", "n9", ip_network("10.9.0.192/26")).to_json()
    name = block_name("business", ip_network("10.9.0.192/28"))
    kube.put_object(IPBLOCKS, {**obj, "metadata": {"name": name}})
    book = book_of(kube, tmp_path, "n1")
    assert await book.claim(PLANE, owner(1), wanted=[ip_address("10.9.0.200")])


def test_node_a_plane_with_a_dot_has_no_block() -> None:
    """Its block would have the name of a static block of the plane before the dot, in its place."""
    obj = NodeBlock("business.static", "n1", ip_network("10.9.0.192/26")).to_json()
    assert obj["metadata"]["name"] == "business.static.10-9-0-192-26"
    with pytest.raises(BadInput):
        read_shape(obj)


@pytest.mark.parametrize(
    "change",
    [
        {"pod": "../../../secrets/netplane-webhook-tls"},
        {"pod": ".."},
        {"namespace": ".."},
        {"namespace": "a/b"},
        {"pod": "x\n" * 20},
        {"uid": "\u001b[31m"},
        {"interface": "n" * 99},
        {"containerID": "../x"},
        {"pod": ["x"]},
    ],
    ids=str,
)
async def test_node_an_entry_steers_no_request_and_writes_no_text_of_ours(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    """What an entry says is asked for with our credentials, and shown in events of pods."""
    kube = FakeKube()
    two = book_of(kube, tmp_path, "n2")
    await two.claim(PLANE, owner(1, "n2"), wanted=[ip_address("10.9.0.200")])
    name = block_name("business", ip_network("10.9.0.192/26"), "static")
    block = kube.object(IPBLOCKS, name)
    assert block is not None
    facts = json.loads(block["holders"]["10.9.0.200"].partition("|")[2])
    spoilt = {"10.9.0.200": "n2|" + json.dumps({**facts, **change})}
    kube.put_object(IPBLOCKS, {**block, "holders": spoilt})
    kube.requests.clear()
    one = book_of(kube, tmp_path, "n1")
    with pytest.raises(Conflict) as caught:
        await one.claim(PLANE, owner(2), wanted=[ip_address("10.9.0.200")])
    assert not [asked for asked in kube.requests if asked[1] == "pods"]
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


async def test_node_a_grid_that_makes_no_sense_is_refused_by_name(tmp_path: Path) -> None:
    kube = FakeKube()
    kube.put_object(IPBLOCKS, grid_object("business", ip_network("10.9.0.0/16"), 16))
    with pytest.raises(Internal, match=r"block size of 10\.9\.0\.0/16"):
        await take(book_of(kube, tmp_path, "n1"), 1, "n1")


async def test_node_a_grid_that_makes_no_sense_costs_its_own_plane_alone(tmp_path: Path) -> None:
    """Blocks of all planes are found at once at start: one must not keep the others away."""
    kube = FakeKube()
    kube.put_object(IPBLOCKS, grid_object("other", ip_network("10.9.0.0/16"), 16))
    kube.put_object(IPBLOCKS, NodeBlock("other", "n1", ip_network("10.9.0.0/26")).to_json())
    assert await take(book_of(kube, tmp_path, "n1"), 1, "n1")


async def test_node_entries_in_a_static_block_cost_only_their_own_addresses(tmp_path: Path) -> None:
    kube = FakeKube()
    book = book_of(kube, tmp_path, "n1")
    await book.claim(PLANE, owner(1), wanted=[ip_address("10.9.0.200")])
    name = block_name("business", ip_network("10.9.0.192/26"), "static")
    block = kube.object(IPBLOCKS, name)
    assert block is not None
    junk = {f"10.9.0.{n}": "n9|" + "[" * 1000 for n in range(201, 208)}
    junk.update({"0.0.0.0/0": "n9|{}", "10.9.0.0208": "n9|{}", "x" * 1000: "n9|"})
    kube.put_object(IPBLOCKS, {**block, "holders": {**block["holders"], **junk}})
    assert await book.claim(PLANE, owner(2), wanted=[ip_address("10.9.0.208")])
    with pytest.raises(Conflict):
        await book.claim(PLANE, owner(3), wanted=[ip_address("10.9.0.201")])


TEXTS = st.one_of(
    st.none(),
    st.text(max_size=30),
    st.integers(),
    st.lists(st.text(max_size=5), max_size=3),
    st.sampled_from(
        ["0.0.0.0/0", "::/0", "10.9.0.0/26", "fd00::/122", "10.9.0.1/26", "Node", "Grid", "n1"]
    ),
)
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "plane": st.one_of(st.just("business"), TEXTS),
        "use": st.one_of(st.sampled_from(["Node", "Static", "Grid"]), TEXTS),
        "cidr": st.one_of(
            st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(
                lambda pair: str(ip_network((pair[0], pair[1]), strict=False))
            ),
            TEXTS,
        ),
        "node": st.one_of(st.just("n1"), st.just(""), TEXTS),
        "blockSize": st.one_of(st.integers(-1, 200), st.booleans(), TEXTS),
        "static": st.one_of(st.lists(TEXTS, max_size=3), TEXTS),
    },
)
MAPPINGS = st.one_of(
    TEXTS,
    st.dictionaries(
        st.one_of(st.text(max_size=20), st.sampled_from(["10.9.0.1", "fd00::1", "010.9.0.1"])),
        st.one_of(
            TEXTS, st.sampled_from(['n1|{"uid": 7}', "n1|[]", "n1|1e999", 'n1|{"since": "x"}'])
        ),
        max_size=4,
    ),
)
OBJECTS = st.builds(
    lambda name, spec, holders, wanted, claims: {
        "metadata": {"name": name},
        "spec": spec,
        "holders": holders,
        "wanted": wanted,
        "claims": claims,
    },
    st.one_of(st.text(max_size=40), st.just("business.10-9-0-0-26")),
    st.one_of(SPECS, TEXTS),
    MAPPINGS,
    MAPPINGS,
    MAPPINGS,
)


@settings(deadline=None)
@given(OBJECTS, st.booleans())
def test_node_whatever_an_ipblock_says_readers_refuse_or_read_it_within_its_bounds(
    obj: JsonObject, is_named_right: bool
) -> None:
    if is_named_right:
        obj = {**obj, "metadata": {"name": _right_name(obj)}}
    try:
        shape = read_shape(obj)
    except BadInput:
        for read in (read_static, lambda o: read_grid(o, ip_network("10.9.0.0/16"))):
            with pytest.raises(Internal):
                read(obj)
        with pytest.raises(BadInput):
            read_node_block(obj)
        return
    assert shape.name == obj["metadata"]["name"]
    assert shape.network.num_addresses <= (1024 if shape.use != "Grid" else 2**24)
    if shape.use == "Static":
        block = read_static(obj)
        assert len(block.holders) <= 64
        assert all(address in shape.network for address in block.holders)
        nodes = {address: held.owner.node for address, held in block.taken.items()}
        assert held_in(obj, shape.network) == nodes


def _right_name(obj: JsonObject) -> str:
    spec = obj["spec"]
    try:
        network: IPNetwork = ip_network(spec["cidr"])
        kinds = {"Node": "", "Static": "static", "Grid": "grid"}
        return block_name(str(spec["plane"]), network, kinds[spec["use"]])
    except (KeyError, TypeError, ValueError, AttributeError):
        return "business.x"


def test_node_what_is_written_by_us_is_what_readers_take() -> None:
    """The control of the property: it refuses not everything."""
    block = NodeBlock("business", "n1", ip_network("10.9.0.0/26"))
    assert read_node_block(block.to_json()) == block
    assert IPv4Address("10.9.0.1") in block.network
