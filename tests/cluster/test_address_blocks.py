"""Address blocks on a real API server: what it refuses, and no address twice under contention."""

from __future__ import annotations

import asyncio
import logging
import statistics
import time
from collections.abc import AsyncIterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from planes.kube.addresses.address_book import KubeAddressBook
from planes.kube.client.access import connect
from planes.kube.client.client import Client
from planes.run.clock import SystemClock
from planes.store.protocol import AddressOwner
from tests.cluster.apiserver import ApiServer, KubectlError
from tests.support.planes import make_plane

_log = logging.getLogger(__name__)

CRD = Path(__file__).parents[2] / "manifests/base/crds/ipblocks.yaml"


@pytest.fixture(scope="module")
def server(api_server: ApiServer) -> ApiServer:
    """The API server with the kind."""
    api_server.kubectl("apply", "--server-side", "-f", str(CRD))
    api_server.kubectl("wait", "--for=condition=Established", "crd/ipblocks.netplane.io")
    return api_server


@pytest.fixture
async def client(server: ApiServer) -> AsyncIterator[Client]:
    async with connect(server.kubeconfig(), user_agent="netplane-test/1") as made:
        yield made


def owner(number: int, node: str) -> AddressOwner:
    return AddressOwner(f"c{number}", "net1", "default", f"p{number}", f"uid-{number}", node)


def block(
    name: str = "hand.10-1-0-0-26", holders: dict[str, str] | None = None, **spec: Any
) -> dict[str, Any]:
    base = {"plane": "hand", "use": "Node", "cidr": "10.1.0.0/26", "node": "n1"}
    obj = {
        "apiVersion": "netplane.io/v1alpha1",
        "kind": "IPBlock",
        "metadata": {"name": name},
        "spec": {key: value for key, value in {**base, **spec}.items() if value is not None},
    }
    return obj if holders is None else {**obj, "holders": holders}


def static(**more: str) -> dict[str, Any]:
    """Return a static block with holders by address."""
    return block("hand.static.10-1-0-0-26", more, use="Static", node="")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (block("other.10-1-0-0-26"), "named after its plane"),
        (block(node=""), "a Node block names its node"),
        (block(use="Static"), "a Node block names its node"),
        (block(use="Grid", node=""), "a Grid gives blockSize"),
        (block(blockSize=26), "a Grid gives blockSize"),
        (block(cidr="10.1.0.1/26"), "without host bits"),
        (block(cidr="10.1.0.0"), "without host bits"),
        (block(use="Static", node="", static=["10.1.0.3"]), "only a Node block"),
        (block(use="Spare"), "Unsupported value"),
        (block(node=None), "required field"),
        (block("hand.10-1-0-64-26"), "named after its plane"),
        (block("hand.10-1-0-0-16", cidr="10.1.0.0/16"), "a Node block is /22 to /32"),
        (block("hand.0-0-0-0-0", cidr="0.0.0.0/0"), "a Node block is /22 to /32"),
        (block("hand.static.10-1-0-0-16", use="Static", node="", cidr="10.1.0.0/16"), "is a /26"),
        (
            block("hand.grid.10-1-0-0-24", use="Grid", node="", blockSize=26, cidr="10.1.0.0/24"),
            "a Grid is a /16",
        ),
        (
            block("hand.grid.10-1-0-0-16", use="Grid", node="", blockSize=33, cidr="10.1.0.0/16"),
            "blocks are /22 to /32",
        ),
        (block(holders={}), "only a Static block has holders"),
        (static(**{"10.1.0.1": "n1|" + "x" * 1025}), "Too long"),
        (static(**{"10.1.0.1": "{}"}), "should match"),
        (static(**{"10.1.1.1": "n1|{}"}), "addresses of the block"),
        (static(**{"10.1.0.01": "n1|{}"}), "addresses of the block"),
        (static(**{f"10.1.0.{n}": "n1|{}" for n in range(65)}), "must have at most 64"),
    ],
)
def test_a_block_that_makes_no_sense_is_refused(
    server: ApiServer, wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(KubectlError, match=message):
        server.apply(wrong)


def test_what_a_block_says_never_changes_but_its_holders(server: ApiServer) -> None:
    name = "hand.10-1-0-64-26"
    server.apply(block(name, cidr="10.1.0.64/26"))
    server.apply(static())
    server.apply(static(**{"10.1.0.1": "n1|{}"}))
    same: dict[str, Any] = {"cidr": "10.1.0.64/26"}
    for changed in ({"node": "n2"}, {"cidr": "10.1.0.128/26"}, {"static": ["10.1.0.65"]}):
        with pytest.raises(KubectlError, match="a block cannot be changed"):
            server.apply(block(name, **{**same, **changed}))


def test_people_see_plane_use_node_and_cidr(server: ApiServer) -> None:
    server.apply(block("hand.10-1-0-192-26", cidr="10.1.0.192/26"))
    lines = server.kubectl("get", "ipb", "hand.10-1-0-192-26").splitlines()
    assert lines[0].split() == ["NAME", "PLANE", "USE", "NODE", "CIDR", "AGE"]
    assert lines[1].split()[1:5] == ["hand", "Node", "n1", "10.1.0.192/26"]


async def test_two_nodes_under_contention_never_share_an_address(
    client: Client, tmp_path: Path
) -> None:
    plane = make_plane("crowd", subnets=[{"cidr": "10.9.0.0/24"}, {"cidr": "fd00:9::/64"}])
    books = [KubeAddressBook(client, node, tmp_path / node, SystemClock()) for node in ("n1", "n2")]
    claims = [books[n % 2].claim(plane, owner(n, f"n{n % 2 + 1}")) for n in range(64)]
    claimed = await asyncio.gather(*claims)
    addresses = [one.address for both in claimed for one in both]
    assert len(set(addresses)) == 128


async def test_32_nodes_that_start_at_once_take_different_blocks(
    client: Client, server: ApiServer, tmp_path: Path
) -> None:
    """Some of them see the plane as it was, with blocks of another size."""
    old = make_plane("start", subnets=[{"cidr": "10.10.0.0/24"}], ipam={"blockSize": 30})
    new = make_plane("start", subnets=[{"cidr": "10.10.0.0/22"}])
    nodes = [f"node{n}" for n in range(32)]
    books = [KubeAddressBook(client, node, tmp_path / node, SystemClock()) for node in nodes]
    claims = [book.claim(new if n % 2 else old, owner(n, nodes[n])) for n, book in enumerate(books)]
    outcomes = await asyncio.gather(*claims, return_exceptions=True)
    claimed = [one[0].address.partition("/")[0] for one in outcomes if isinstance(one, tuple)]
    assert len(set(claimed)) == len(claimed) >= 8
    items = server.get("ipb", "--field-selector=spec.plane=start,spec.use=Node")["items"]
    assert len({item["spec"]["cidr"].partition("/")[2] for item in items}) == 1


async def test_32_claims_of_static_addresses_from_two_nodes_lose_nobody(
    client: Client, tmp_path: Path
) -> None:
    plane = make_plane(
        "fixed",
        subnets=[{"cidr": "10.11.0.0/24", "staticRanges": ["10.11.0.64/27"]}],
        staticIPs={"allow": "Any"},
    )
    books = [KubeAddressBook(client, node, tmp_path / node, SystemClock()) for node in ("n1", "n2")]
    wanted = [ip_address(f"10.11.0.{n}") for n in range(64, 96)]
    begun = time.monotonic()
    await asyncio.gather(
        *(
            books[n % 2].claim(plane, owner(n, f"n{n % 2 + 1}"), wanted=[address])
            for n, address in enumerate(wanted)
        )
    )
    _log.info("32 static claims at once: %.3f s", time.monotonic() - begun)
    holders = await books[0].holders("fixed")
    assert {address: who.container_id for address, who in holders.items()} == {
        address: f"c{n}" for n, address in enumerate(wanted)
    }


async def test_a_static_address_moves_to_another_node_within_a_moment(
    client: Client, tmp_path: Path
) -> None:
    """A StatefulSet's pod is replaced: DEL here, ADD there, at once."""
    plane = make_plane(
        "moving",
        subnets=[{"cidr": "10.12.0.0/24", "staticRanges": ["10.12.0.64/27"]}],
        staticIPs={"allow": "Any"},
    )
    books = [KubeAddressBook(client, node, tmp_path / node, SystemClock()) for node in ("n1", "n2")]
    runs = [asyncio.create_task(book.run()) for book in books]
    claims, releases, address = [], [], ip_address("10.12.0.64")
    try:
        for number in range(20):
            book, node = books[number % 2], f"n{number % 2 + 1}"
            begun = time.monotonic()
            await book.claim(plane, owner(number, node), wanted=[address])
            claims.append(time.monotonic() - begun)
            begun = time.monotonic()
            await book.release("moving", f"c{number}", "net1")
            while await books[1 - number % 2].holders("moving"):
                await asyncio.sleep(0.001)
            releases.append(time.monotonic() - begun)
    finally:
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, return_exceptions=True)
    _log.info("a static claim: %.1f ms", statistics.median(claims) * 1e3)
    _log.info("until it is free for all: %.1f ms", statistics.median(releases) * 1e3)
    assert max(releases) < 5
