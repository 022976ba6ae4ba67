"""Addresses of one plane for the pods of 32 nodes, against a real API server, beside other ways.

Each node allocates one address after the other. All nodes, the API server and etcd share this
machine; every address is durable when it counts, ours on the disk under the benchmark's folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

from tests.bench.address_ways import POOL_NAME, POOLS, RESERVATIONS, crd
from tests.bench.counted_api import WRITES
from tests.bench.processes import ROOT
from tests.bench.table import Goal, Row, Side, SkippedError, side
from tests.cluster.apiserver import ApiServer
from tests.cluster.lab.binaries import CONTROL_PLANE, why_missing

CRDS: Final = ROOT / "manifests" / "base" / "crds"
_NODES: Final = 32
_SECONDS: Final = 6.0
_MOST_SECONDS: Final = 30.0
_START_SECONDS: Final = 4.0
_RATE: Final = Goal(">= 1,000 /s", 1000.0, is_at_most=False)
_WRITES: Final = Goal("<= 0.25", 0.25)
_LABELS: Final = {
    "blocks": "netplane",
    "objects": "an object for each",
    "pool": "one pool object, a lease",
}


@dataclass(slots=True)
class _Found:
    """What all allocators of one way did."""

    ms: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cpu: float = 0.0
    requests: Counter[str] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        return len(self.ms) / self.seconds

    @property
    def writes(self) -> float:
        return sum(self.requests[verb] for verb in WRITES) / len(self.ms)


def bench(folder: Path, scale: float, say: Callable[[str], None]) -> Iterable[Row]:
    """Measure.

    Raises:
        SkippedError: the programs of a cluster are missing.
    """
    with api_server(folder, "ipblocks.yaml") as server:
        server.apply(crd(POOLS), crd(RESERVATIONS))
        for resource in (POOLS, RESERVATIONS):
            name = f"crd/{resource.plural}.{resource.group}"
            server.kubectl("wait", "--for=condition=Established", name)
        pool = {"metadata": {"name": POOL_NAME}, "spec": {"range": "10.64.0.0/16"}}
        server.apply(
            {
                "apiVersion": POOLS.api_version,
                "kind": POOLS.kind,
                **pool,
                "spec": {"allocations": {}},
            }
        )
        seconds = min(_MOST_SECONDS, _SECONDS * scale)
        found = {}
        for way, label in _LABELS.items():
            say(label)
            found[way] = _load(server, folder, way, seconds)
    yield from _rows(found)


@contextmanager
def api_server(folder: Path, *crds: str) -> Iterator[ApiServer]:
    """Run etcd and kube-apiserver during the block.

    Raises:
        SkippedError: the programs of a cluster are missing.
    """
    if reason := why_missing(CONTROL_PLANE):
        raise SkippedError(reason)
    server = ApiServer(folder / "server")
    server.folder.mkdir()
    server.start()
    try:
        for name in crds:
            server.kubectl("apply", "--server-side", "-f", str(CRDS / name))
            kind = f"crd/{name.removesuffix('.yaml')}.netplane.io"
            server.kubectl("wait", "--for=condition=Established", kind)
        yield server
    finally:
        server.stop()


def _load(server: ApiServer, folder: Path, way: str, seconds: float) -> _Found:
    """Run the allocators of all nodes, a process for each processor."""
    count = min(_NODES, len(os.sched_getaffinity(0)))
    bounds = [_NODES * number // count for number in range(count + 1)]
    at = time.time() + _START_SECONDS
    processes = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.bench.address_load", way),
                *("--kubeconfig", str(server.kubeconfig()), "--folder", str(folder / way)),
                *("--nodes", f"{first}:{last}", "--seconds", str(seconds), "--at", str(at)),
            ],
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        for first, last in pairwise(bounds)
    ]
    found = _Found()
    for process in processes:
        said, _ = process.communicate()
        if process.returncode:
            raise RuntimeError(f"cannot allocate by {way}: exit code {process.returncode}")
        one = json.loads(said)
        found.ms += one["ms"]
        found.seconds = max(found.seconds, one["seconds"])
        found.cpu += one["cpu"]
        found.requests.update(one["requests"])
    if not found.ms:
        raise RuntimeError(f"cannot allocate by {way}: not one address in {seconds} s")
    return found


def _rows(found: dict[str, _Found]) -> Iterable[Row]:
    def each(
        value: Callable[[_Found], float], unit: str, *goals: Goal
    ) -> tuple[Side, Sequence[Side]]:
        ours, *peers = (
            Side(label, unit, value(found[way]), goals=goals if way == "blocks" else ())
            for way, label in _LABELS.items()
        )
        return ours, peers

    what = f"{_NODES} nodes, one plane"
    cpu = ", ".join(
        f"{label} {1e3 * one.cpu / len(one.ms):.2f} ms"
        for one, label in zip(found.values(), _LABELS.values(), strict=True)
    )
    ours, peers = each(lambda one: one.rate, "/s", _RATE)
    note = f"processor time of the allocators per address: {cpu}"
    yield Row(f"addresses, {what}", ours, tuple(peers), (note,))
    ours, peers = each(lambda one: one.writes, "writes", _WRITES)
    yield Row(f"writes to the API per address, {what}", ours, tuple(peers))
    ours, peers = each(lambda one: one.requests.total() / len(one.ms), "requests")
    yield Row(f"requests to the API per address, {what}", ours, tuple(peers))
    ours, *peers = (side(label, "ms", found[way].ms) for way, label in _LABELS.items())
    yield Row(f"one address, {what}", ours, tuple(peers))
