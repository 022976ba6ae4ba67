"""A process of ours that takes addresses of host-local, beside others; a program.

Arguments: the netconf as JSON, the first part of its container IDs, how many, `add` or `del`.
Prints the addresses it was given, one a line.
"""

from __future__ import annotations

import asyncio
import json
import sys

from cni.ipam.host_local import HostLocal
from cni.ipam.host_local_files import HostLocalFiles
from cni.plugins.plugin import Call
from planes.model.wire.netconf import NetConf
from tests.support.node.plugins import ANYWHERE


async def _work(conf: NetConf, whose: str, count: int, verb: str) -> None:
    ipam = HostLocal(HostLocalFiles(), ANYWHERE)
    for number in range(count):
        call = Call(f"{whose}-{number}", "", "eth0")
        if verb == "add":
            sys.stdout.write(f"{(await ipam.add(call, conf)).ips[0].address}\n")
        else:
            await ipam.release(call, conf)


if __name__ == "__main__":
    asyncio.run(_work(NetConf(json.loads(sys.argv[1])), sys.argv[2], int(sys.argv[3]), sys.argv[4]))
