"""A conf dir and its keeper, on a clock that stands still."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cni.confdir.default_network import ConfDir
from cni.confdir.files import FILE_NAME
from cni.confdir.keeper import LOOK_SECONDS, ConflistKeeper
from planes.run.metrics import Metrics
from tests.support.clock import FakeClock

JsonObject = dict[str, Any]
BRIDGE: JsonObject = {
    "cniVersion": "1.0.0",
    "name": "cbr0",
    "plugins": [
        {"type": "bridge", "capabilities": {"ips": True, "mac": False}},
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}
MULTUS = "00-multus.conf"


def shim_conf(network: str) -> JsonObject:
    """Return what a Multus daemon writes."""
    return {
        "cniVersion": "0.3.1",
        "name": "multus-cni-network",
        "type": "multus-shim",
        "capabilities": {"portMappings": True},
        "clusterNetwork": network,
    }


class Node:
    """A conf dir and its keeper."""

    def __init__(self, root: Path) -> None:
        self.path = root / "net.d"
        self.path.mkdir()
        self.clock = FakeClock()
        self.start()

    def start(self, *, replaces_multus: bool = False) -> None:
        """Begin anew, as a daemon that was started again."""
        self.metrics = Metrics()
        self.conf_dir = ConfDir(self.path, self.clock)
        self.keeper = ConflistKeeper(
            self.path, self.conf_dir, self.clock, self.metrics, replaces_multus=replaces_multus
        )

    def write(self, name: str, obj: JsonObject) -> None:
        (self.path / name).write_text(json.dumps(obj))

    async def look(self) -> None:
        self.clock.advance(LOOK_SECONDS)
        await self.keeper.look()

    @property
    def ours(self) -> JsonObject:
        found: JsonObject = json.loads((self.path / FILE_NAME).read_text())
        return found

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.path.iterdir())

    async def network(self) -> str:
        self.clock.advance(LOOK_SECONDS)
        return (await self.conf_dir.default()).name
