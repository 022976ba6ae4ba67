"""The blocks of 5,000 nodes in three planes on a real API server: sizes, traffic, memory, times.

Processor time and memory are of one process each: the informer of the webhook's leader, and the
address book of one daemon. Both run against the 15,000 blocks.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_network
from pathlib import Path
from statistics import median
from typing import Any, Final

from planes.kube.addresses.holders import Holder, static_object
from planes.store.protocol import AddressOwner
from tests.bench.addresses import api_server
from tests.bench.blocks_load import NODES, PLANES
from tests.bench.processes import ROOT
from tests.bench.table import Goal, Row, Side, side
from tests.cluster.apiserver import ApiServer

_BLOCKS: Final = "/apis/netplane.io/v1alpha1/ipblocks"
_SIZE: Final = Goal("<= 6 kB", 6.0)
_STATIC_SIZE: Final = Goal("<= 23 kB: 64 x 350 B", 23.0)
_LIST: Final = Goal("<= 90 MB", 90.0)
_MEMORY: Final = Goal("<= 60 MiB", 60.0)
_OWN_MEMORY: Final = Goal("<= 10 MiB", 10.0)
_TAIL: Final = Goal("p99 <= 100 ms", 100.0, is_tail=True)
_REQUESTS: Final = Goal("<= 20", 20.0)


def bench(folder: Path, _scale: float, say: Callable[[str], None]) -> Iterable[Row]:
    """Measure.

    Raises:
        SkippedError: the programs of a cluster are missing.
    """
    with api_server(folder, "ipblocks.yaml") as server:
        say("making the blocks")
        made = _run(server, folder, "make")
        yield _sizes(server)
        yield _static_size(server)
        pages = [server.kubectl("get", "--raw", f"{_BLOCKS}?limit=500&fieldSelector=spec.use=Node")]
        whole = len(pages[0]) / len(json.loads(pages[0])["items"]) * made["objects"] / 1e6
        own = server.kubectl("get", "--raw", f"{_BLOCKS}?fieldSelector=spec.node=node7")
        yield Row(
            "a list of all blocks, and of one node's own",
            Side("all: the webhook's leader", "MB", whole, goals=(_LIST,)),
            (Side("own: each daemon", "MB", len(own) / 1e6),),
            (f"{made['objects']:,} objects were made in {made['seconds']:.0f} s",),
        )
        say("the webhook's informer")
        yield from _webhook_rows(_run(server, folder, "webhook"))
        say("one daemon")
        yield from _daemon_rows(_run(server, folder, "daemon"))


def _run(server: ApiServer, folder: Path, role: str) -> Mapping[str, Any]:
    command = [
        *(sys.executable, "-m", "tests.bench.blocks_load", role),
        *("--kubeconfig", str(server.kubeconfig()), "--folder", str(folder)),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.splitlines()[-1:]
        raise RuntimeError(f"cannot measure {role} of many blocks: {' '.join(last)}")
    found: Mapping[str, Any] = json.loads(done.stdout)
    return found


def _sizes(server: ApiServer) -> Row:
    items = json.loads(server.kubectl("get", "--raw", f"{_BLOCKS}?limit=100"))["items"]
    sizes = [len(json.dumps(item)) / 1e3 for item in items if item["spec"]["use"] == "Node"]
    return Row("a node's block, as the API server sends it", side("block", "kB", sizes, _SIZE))


def _static_size(server: ApiServer) -> Row:
    network = ip_network("192.168.0.0/26")
    holders = {
        address: Holder(
            AddressOwner(
                f"{int(address):064x}",
                "net1",
                "namespace",
                f"pod-{int(address)}",
                "f" * 36,
                "node7",
            ),
            1_800_000_000,
        )
        for address in network
    }
    obj = static_object(PLANES[0], network, holders, "node7")
    server.apply(obj)
    raw = server.kubectl("get", "--raw", f"{_BLOCKS}/{obj['metadata']['name']}")
    return Row(
        "a block with 64 static or borrowed addresses",
        Side("block", "kB", len(raw) / 1e3, goals=(_STATIC_SIZE,)),
    )


def _webhook_rows(found: Mapping[str, Any]) -> Iterable[Row]:
    note = f"listed in {found['list_seconds']:.1f} s, {found['list_cpu']:.1f} s of the processor"
    yield Row(
        f"memory for {found['blocks']:,} blocks, {NODES:,} nodes",
        Side("webhook's leader", "MiB", found["mib"], goals=(_MEMORY,)),
        notes=(note,),
    )
    yield Row(
        "processor time of the leader for a changed block, its write included",
        Side("webhook's leader", "ms", found["change_cpu_ms"]),
    )


def _daemon_rows(found: Mapping[str, Any]) -> Iterable[Row]:
    requests = found["requests"]
    asked = ", ".join(f"{number} {verb}" for verb, number in requests.items())
    yield Row(
        f"memory of one daemon's address book, {NODES:,} nodes",
        Side("netplane-cni", "MiB", found["mib"], goals=(_OWN_MEMORY,)),
    )
    yield Row(
        "an address where the node's block has room",
        side("netplane-cni", "ms", found["ms"], _TAIL),
        notes=(f"{len(found['ms'])} addresses; requests since the daemon's start: {asked}",),
    )
    yield Row(
        "the first address of a node, 3 of 5 blocks are taken",
        side("netplane-cni", "ms", found["grown_ms"], _TAIL),
        notes=(f"of a daemon that has its blocks: {median(found['first_ms']):.1f} ms",),
    )
    yield Row(
        "requests for it",
        side("netplane-cni", "requests", found["grown_requests"], _REQUESTS),
    )
    yield Row(
        "the first address of a node, 9 of 10 blocks are taken",
        side("netplane-cni", "ms", found["crowded_ms"], _TAIL),
    )
    yield Row(
        "requests for it, 9 of 10 blocks are taken",
        side("netplane-cni", "requests", found["crowded_requests"], _REQUESTS),
    )
