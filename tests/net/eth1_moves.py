"""Netconfs of type `host-device` on a node's eth1, and the state of its host."""

from __future__ import annotations

import asyncio
from typing import Any

from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result
from tests.support.node.netns import Node, picture
from tests.support.node.scenarios import static

ADDRESS = static({"address": "10.9.0.7/24"}, routes=[{"dst": "10.1.0.0/16", "gw": "10.9.0.1"}])
_KEYS = frozenset({"device", "hwaddr", "kernelpath", "pciBusID", "runtimeConfig"})


def netconf(**conf: Any) -> NetConf:
    """Return a netconf; of eth1 unless a key names the device."""
    base = {"cniVersion": "1.0.0", "name": "testnet", "type": "host-device"}
    return NetConf({**base, **({} if conf.keys() & _KEYS else {"device": "eth1"}), **conf})


def with_previous(conf: NetConf, result: Result) -> NetConf:
    return NetConf({**conf.raw, "prevResult": result.to_version("1.0.0")})


async def settled(node: Node) -> dict[str, Any]:
    """Return the picture of the host once its links have their carrier."""
    for _attempt in range(50):
        if "LOWER_UP" in node.host.ip("link", "show", "eth1"):
            break
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.1)
    return picture(node.host)
