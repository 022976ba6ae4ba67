"""What a large cluster costs the webhook's store: memory, time to list, stalls, cost of a change.

Times are the processor's, which others on the machine do not change. Run as a program it fills one
store and prints the numbers as JSON: `--kubeconfig` takes a real API server with whatever is in
it, otherwise the cluster is scripted (see `scripted_cluster`). The benchmark runs it as a process
of its own, so that nothing else is counted.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from planes.kube.api import KubeApi
from planes.kube.client.access import connect
from planes.kube.resources import NADS, PODS
from planes.kube.store.store import KubeStore
from planes.model.objects import NadRef, Pod
from planes.model.state.claim_index import ClaimIndex
from planes.model.state.claims import PodClaims, claims_of
from planes.run.clock import SystemClock
from planes.run.gc_freeze import freeze_while_loading
from tests.bench.processes import ROOT, resident_mebibytes
from tests.bench.scripted_cluster import ScriptedCluster, Size, nad_object
from tests.bench.table import Goal, Row, Side

_MEMORY = Goal("< 400 MiB", 400.0)
_CHANGES = 3000
_TICK = 0.001


class Stalls:
    """Measures how long the event loop is busy without a break, in processor time.

    So it does not count what other programs on the machine take.
    """

    def __init__(self) -> None:
        self.longest = 0.0

    async def run(self) -> None:
        """Wake up a thousand times a second until cancelled."""
        before = time.process_time()
        while True:
            await asyncio.sleep(_TICK)
            now = time.process_time()
            self.longest = max(self.longest, now - before)
            before = now

    def take(self) -> float:
        """Return the longest stall since the last call, in milliseconds."""
        longest, self.longest = self.longest, 0.0
        return round(longest * 1000, 1)


async def measure(api: KubeApi, cluster: ScriptedCluster | None) -> dict[str, float]:
    """Fill a store from an API server; return the numbers."""
    importlib.import_module("webhook.server")  # what it needs is part of its memory
    found = {"rss_before_mib": resident_mebibytes(os.getpid())}
    clock = SystemClock()
    store = KubeStore.for_admission(api, clock=clock)
    stalls = Stalls()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(stalls.run()), group.create_task(store.run())]
        tasks.append(group.create_task(freeze_while_loading(lambda: store.is_synced, clock)))
        begin, begin_cpu = time.perf_counter(), time.process_time()
        while not store.is_synced:
            await asyncio.sleep(_TICK)
        found["list_seconds"] = round(time.perf_counter() - begin, 2)
        found["list_cpu_seconds"] = round(time.process_time() - begin_cpu, 2)
        found["list_longest_stall_ms"] = stalls.take()
        found["rss_listed_mib"] = resident_mebibytes(os.getpid())
        found["peak_mib"] = _peak_mebibytes()
        if cluster is not None:
            found |= await _changes(store, cluster, stalls)
        found["rss_end_mib"] = resident_mebibytes(os.getpid())
        for task in tasks:
            task.cancel()
    return found


def _is_indexed(claims: ClaimIndex, pod: str, wanted: PodClaims) -> bool:
    return claims.changed({pod: wanted}) is claims


async def _changes(store: KubeStore, cluster: ScriptedCluster, stalls: Stalls) -> dict[str, float]:
    """Measure what changed pods and a changed NAD cost."""
    *_, newest = cluster.changed_pods(_CHANGES)
    last = Pod.from_object(newest)
    wanted = claims_of(last)
    cluster.send(PODS.plural, cluster.changed_pods(_CHANGES))
    await asyncio.sleep(_TICK)  # what made the changes is not what is measured
    stalls.take()
    before = time.process_time()
    while not _is_indexed(store.catalog.claims, last.key, wanted):
        await asyncio.sleep(_TICK)
    pod_seconds = time.process_time() - before
    stall = stalls.take()
    before = time.process_time()
    cluster.send(NADS.plural, [nad_object(7, '{"cniVersion":"1.0.0","name":"x","type":"bridge"}')])
    ref = NadRef("team-7", "nad-7")
    while '"x"' not in store.catalog.nads[ref].config:
        await asyncio.sleep(0)
    return {
        "change_of_a_pod_ms": round(pod_seconds / _CHANGES * 1000, 3),
        "change_of_a_nad_ms": round((time.process_time() - before) * 1000, 1),
        "change_longest_stall_ms": stall,
    }


def _peak_mebibytes() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the kernel does not tell the peak")


def bench(folder: Path, scale: float, say: Callable[[str], None]) -> Iterable[Row]:
    """Measure."""
    del folder
    size = Size(max(100, round(5000 * min(scale, 1.0))), max(1000, round(150_000 * scale)))
    say(f"{size.namespaces} namespaces, {size.pods} pods")
    argv = [sys.executable, "-m", __name__, str(size.namespaces), str(size.pods)]
    done = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, timeout=600)
    found = json.loads(done.stdout)
    what = f"webhook with {size.pods:,} pods, {size.namespaces:,} namespaces"
    yield Row(
        f"{what}: RSS",
        Side("netplane-webhook", "MiB", found["rss_listed_mib"], goals=(_MEMORY,)),
        notes=(f"peak {found['peak_mib']:.0f} MiB",),
    )
    for text, unit, name in (
        ("listed, processor time", "s", "list_cpu_seconds"),
        ("longest stall while listing", "ms", "list_longest_stall_ms"),
        ("a changed pod", "ms", "change_of_a_pod_ms"),
        ("a changed NAD", "ms", "change_of_a_nad_ms"),
    ):
        yield Row(f"{what}: {text}", Side("netplane-webhook", unit, found[name]))


async def _main(argv: list[str]) -> dict[str, float]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("namespaces", type=int, nargs="?", default=Size().namespaces)
    parser.add_argument("pods", type=int, nargs="?", default=Size().pods)
    parser.add_argument("--kubeconfig", type=Path, help="a real API server instead")
    given = parser.parse_args(argv)
    if given.kubeconfig is None:
        cluster = ScriptedCluster(Size(given.namespaces, given.pods))
        return await measure(cluster, cluster)
    client = connect(given.kubeconfig, user_agent="netplane-bench")
    try:
        return await measure(client, None)
    finally:
        await client.close()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(_main(sys.argv[1:])), indent=2) + "\n")
