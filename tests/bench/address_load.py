"""Allocators of some nodes in one process: how many addresses in some seconds, how long each took.

usage: python -m tests.bench.address_load WAY --kubeconfig FILE --folder DIR --nodes FIRST:LAST
       --seconds S --at TIME

It begins at a time of the clock, so that several processes run together, and writes JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from planes.kube.client.access import connect
from planes.run.thread_pool import ThreadPool
from tests.bench.address_ways import Blocks, LeasedPool, ObjectEach, Way
from tests.bench.counted_api import CountedApi


async def main(given: argparse.Namespace) -> None:
    """Run the allocators; print the outcome."""
    first, last = map(int, given.nodes.split(":"))
    times: list[float] = []
    files = ThreadPool(4, "files")
    async with connect(given.kubeconfig, user_agent="netplane-bench/1") as client:
        api = CountedApi(client)
        ways: dict[str, Callable[[int], Way]] = {
            "blocks": lambda n: Blocks(api, f"node{n}", given.folder, files),
            "objects": lambda n: ObjectEach(api, f"node{n}", n),
            "pool": lambda n: LeasedPool(api, f"node{n}"),
        }
        allocators = [ways[given.way](number) for number in range(first, last)]
        await asyncio.sleep(max(0.0, given.at - time.time()))
        begun, used = time.monotonic(), time.process_time()
        end = begun + given.seconds

        async def work(way: Way) -> None:
            number = 0
            while (now := time.monotonic()) < end:
                await way.allocate(number)
                number += 1
                times.append((time.monotonic() - now) * 1e3)

        await asyncio.gather(*map(work, allocators))
        found = {
            "ms": [round(each, 3) for each in times],
            "seconds": time.monotonic() - begun,
            "cpu": time.process_time() - used,
            "requests": api.requests,
        }
    files.shutdown()
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.address_load")
    parser.add_argument("way")
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--nodes", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--at", type=float, required=True)
    asyncio.run(main(parser.parse_args()))
