"""Shared by tests of static addresses: a plane, its attachments, and objects of the API server."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from planes.kube.addresses.address_book import KubeAddressBook
from planes.kube.addresses.block_writes import BlockWrites
from planes.kube.addresses.holders import read_static
from planes.kube.addresses.kept_records import KeptRecords
from planes.kube.addresses.node_blocks import NodeBlocks
from planes.kube.addresses.own_blocks import OwnBlocks
from planes.kube.resources import IPBLOCKS, PODS
from planes.run.clock import SystemClock
from planes.store.protocol import AddressOwner
from tests.support.kube.fake_kube import FakeKube
from tests.support.kube.nodes import shut_down
from tests.support.node.fast_clock import FastClock
from tests.support.planes import make_plane
from webhook.controller.holders import HolderKeeper

PLANE = make_plane(
    subnets=[
        {"cidr": "10.9.0.0/24", "gateway": "10.9.0.1", "staticRanges": ["10.9.0.200-10.9.0.215"]},
        {"cidr": "fd00:9::/64", "staticRanges": ["fd00:9::200-fd00:9::20f"]},
    ],
    staticIPs={"allow": "Any", "reservations": [{"ip": "10.9.0.9", "namespace": "ns"}]},
)
A = "10.9.0.200"
B = "10.9.0.201"
FAR = "10.9.0.9"
"""A reservation in another static block."""


def owner(number: int, node: str = "n1", *, pod: str = "", uid: str = "") -> AddressOwner:
    name = pod or f"p{number}"
    return AddressOwner(f"c{number}", "net1", "ns", name, uid or f"uid-{number}", node)


def pod(kube: FakeKube, who: AddressOwner, **metadata: Any) -> None:
    kube.put_object(PODS, {"metadata": {"name": who.pod, "namespace": "ns", **metadata}})


def book_of(kube: FakeKube, state: Path, node: str = "n1", factor: float = 40) -> KubeAddressBook:
    """Return a node's book; what waits for four seconds waits for a tenth of one."""
    return KubeAddressBook(kube, node, state / node, FastClock(factor))


def node_blocks_of(kube: FakeKube, state: Path, node: str = "n1") -> NodeBlocks:
    """Return what takes blocks for a node, at a new start of its daemon."""
    own = OwnBlocks()
    writes = BlockWrites(kube, own, KeptRecords(state), f"start-{len(kube.requests)}")
    return NodeBlocks(kube, node, own, writes)


async def take(book: KubeAddressBook, who: AddressOwner, *texts: str) -> list[str]:
    claimed = await book.claim(PLANE, who, wanted=[ip_address(text) for text in texts])
    return [one.address.partition("/")[0] for one in claimed]


async def choose(book: KubeAddressBook, who: AddressOwner, *texts: str) -> list[str]:
    claimed = await book.claim(PLANE, who, candidates=[ip_address(text) for text in texts])
    return [one.address.partition("/")[0] for one in claimed]


def written(kube: FakeKube) -> dict[str, str]:
    """Container IDs by static address, as the API server has it."""
    found = {}
    for obj in kube.objects(IPBLOCKS):
        if obj["spec"]["use"] == "Static":
            for address, holder in read_static(obj).holders.items():
                found[str(address)] = holder.owner.container_id
    return found


async def until_given_back(book: KubeAddressBook) -> None:
    """Let `run` do its work, as the daemon does."""
    task = asyncio.create_task(book.run())
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until_freed(kube: FakeKube) -> None:
    """Let the leader look at all static blocks: twice, as it must; n1 was shut down."""
    shut_down(kube, "n1")
    keeper = HolderKeeper(kube, SystemClock(), randomness=lambda: 0.5, failed=lambda: None)
    for _ in range(2):
        for obj in kube.objects(IPBLOCKS):
            if obj["spec"]["use"] == "Static":
                await keeper.reconcile(obj["metadata"]["name"])
