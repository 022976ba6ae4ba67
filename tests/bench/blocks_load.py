"""A program for the blocks of 5,000 nodes: makes them, watches them, or is one node.

usage: python -m tests.bench.blocks_load make|webhook|daemon --kubeconfig FILE --folder DIR

`make` creates them. `webhook` has the informer of the webhook's leader, and prints what it costs
and what new blocks cost it. `daemon` is the address book of one node. Each writes JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from itertools import islice
from pathlib import Path
from typing import Any, Final

from planes.kube.addresses.address_book import KubeAddressBook
from planes.kube.addresses.ipblocks import NodeBlock, grid_object
from planes.kube.api import KubeApi, Query
from planes.kube.client.access import connect
from planes.kube.informers.cache import ObjectCache
from planes.kube.informers.reflector import Reflector
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import IPNetwork, parse_network
from planes.model.errors import JsonObject
from planes.model.spec.blocks import blocks_of, cells, in_order, seed
from planes.model.spec.plane_spec import Plane
from planes.run.clock import SystemClock
from planes.run.thread_pool import ThreadPool
from planes.store.protocol import AddressOwner
from tests.bench.counted_api import CountedApi
from tests.bench.processes import resident_mebibytes
from tests.support.planes import make_plane
from webhook.controller.blocks import Blocks

NODES: Final = 5000
PLANES: Final = ("business", "storage", "backup")
_SECOND_OCTETS: Final = {name: 10 + index for index, name in enumerate(PLANES)}
_AT_ONCE: Final = 64
_CHANGES: Final = 400
_CLAIMS: Final = 60
_GROWN: Final = 100
_CROWDED: Final = 0.9
_SECONDS: Final = 60.0


def cidr(plane: str) -> str:
    """Return the subnet of a plane: a /13, of which 5,000 blocks of 64 are three fifths."""
    return f"{_SECOND_OCTETS[plane]}.0.0.0/13"


async def make(api: KubeApi, _folder: Path) -> Mapping[str, Any]:
    """Create the blocks of all nodes."""
    work = []
    for name in PLANES:
        plane = plane_of(name)
        regions = ip_network(cidr(name)).subnets(new_prefix=16)
        work += [grid_object(name, parse_network(str(region)), 26) for region in regions]
        work += chosen(plane, (f"node{number}" for number in range(NODES)), set())
    begun = time.monotonic()
    await create_all(api, work)
    return {"objects": len(work), "seconds": time.monotonic() - begun}


def plane_of(name: str) -> Plane:
    """Return a plane."""
    return make_plane(name, subnets=[{"cidr": cidr(name)}])


def chosen(plane: Plane, nodes: Iterable[str], taken: set[IPNetwork]) -> list[JsonObject]:
    """Return the blocks that nodes choose one after the other; they are added to the taken ones."""
    blocks = []
    for node in nodes:
        start = seed(node, plane.name)
        candidates = (n for part in in_order(plane, 4, node) for n in cells(part, 26, start))
        network = next(one for one in candidates if one not in taken)
        taken.add(network)
        blocks.append(NodeBlock(plane.name, node, network).to_json())
    return blocks


async def create_all(api: KubeApi, work: Iterable[JsonObject]) -> None:
    """Create objects, many at once."""
    remaining = iter(work)

    async def create() -> None:
        for obj in remaining:
            await api.create(IPBLOCKS, obj)

    await asyncio.gather(*(create() for _ in range(_AT_ONCE)))


async def webhook(api: KubeApi, _folder: Path) -> Mapping[str, Any]:
    """Follow all blocks as the leader does, while some are written."""
    before = resident_mebibytes(os.getpid())
    blocks = Blocks(lambda _name: None)
    cache = ObjectCache(blocks.read, on_object=blocks.changed)
    watch = Reflector(api, Query(IPBLOCKS), cache, clock=SystemClock())
    run = asyncio.create_task(watch.run())
    begun, used = time.monotonic(), time.process_time()
    while not watch.is_synced:
        await asyncio.sleep(0.01)
    found = {
        "list_seconds": time.monotonic() - begun,
        "list_cpu": time.process_time() - used,
        "blocks": sum(blocks.counts.values()),
        "mib": resident_mebibytes(os.getpid()) - before,
    }
    await asyncio.sleep(1.0)
    used = time.process_time()
    for network in islice(ip_network("172.16.0.0/12").subnets(new_prefix=26), _CHANGES):
        await api.create(
            IPBLOCKS, NodeBlock(PLANES[0], "node1", parse_network(str(network))).to_json()
        )
    until = time.monotonic() + _SECONDS
    while sum(blocks.counts.values()) < found["blocks"] + _CHANGES and time.monotonic() < until:
        await asyncio.sleep(0.01)
    found["change_cpu_ms"] = 1e3 * (time.process_time() - used) / _CHANGES
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    return found


async def daemon(api: KubeApi, folder: Path) -> Mapping[str, Any]:
    """Be one node: find the own blocks, fill them, and take more."""
    counted = CountedApi(api)
    before = resident_mebibytes(os.getpid())
    files = ThreadPool(4, "files")
    book = KubeAddressBook(counted, "node7", folder / "state", SystemClock(), executor=files)
    run = asyncio.create_task(book.run())
    planes = [plane_of(name) for name in PLANES]
    first: list[float] = []
    times: list[float] = []
    for number in range(_CLAIMS):
        for plane in planes:
            begun = time.monotonic()
            await book.claim(plane, AddressOwner(f"c{number}", "net1", "ns", "p", "", "node7"))
            (times if number else first).append(1e3 * (time.monotonic() - begun))
    loaded = dict(counted.requests)
    memory = resident_mebibytes(os.getpid()) - before  # of this book alone: others come below
    grown, spent = await _grown(api, planes[0], folder, files, "fresh")
    await _crowd(api, planes[0])
    crowded, spent_crowded = await _grown(api, planes[0], folder, files, "late")
    found = {
        "first_ms": first,
        "ms": times,
        "requests": loaded,
        "grown_ms": grown,
        "grown_requests": spent,
        "crowded_ms": crowded,
        "crowded_requests": spent_crowded,
        "mib": memory,
    }
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    files.shutdown()
    return found


async def _grown(
    api: KubeApi, plane: Plane, folder: Path, files: ThreadPool, prefix: str
) -> tuple[list[float], list[int]]:
    """Take the first address of nodes that have no block yet."""
    times, spent = [], []
    for number in range(_GROWN):
        counted, name = CountedApi(api), f"{prefix}{number}"
        book = KubeAddressBook(counted, name, folder / name, SystemClock(), executor=files)
        begun = time.monotonic()
        await book.claim(plane, AddressOwner("c", "net1", "ns", "p", "", name))
        times.append(1e3 * (time.monotonic() - begun))
        spent.append(counted.requests.total())
    return times, spent


async def _crowd(api: KubeApi, plane: Plane) -> None:
    """Have more nodes take blocks, until few are free."""
    query, taken = Query(IPBLOCKS, fields=f"spec.plane={plane.name},spec.use=Node"), set()
    async for page in api.pages(query):
        taken |= {parse_network(obj["spec"]["cidr"]) for obj in page.items}
    wanted = int(blocks_of(plane, 4) * _CROWDED) - len(taken)
    await create_all(api, chosen(plane, (f"more{number}" for number in range(wanted)), taken))


async def main(given: argparse.Namespace) -> None:
    """Do one of these; print the outcome."""
    role = {"make": make, "webhook": webhook, "daemon": daemon}[given.role]
    async with connect(given.kubeconfig, user_agent="netplane-bench/1") as client:
        found = await role(client, given.folder)
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.blocks_load")
    parser.add_argument("role")
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    asyncio.run(main(parser.parse_args()))
