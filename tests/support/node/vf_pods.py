"""Pods on virtual functions: two sandboxes, the plugins of each daemon in turn, and netconfs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cni.native.registry import native_plugins
from cni.net.kernel import Kernel
from cni.plugins.plugin import Call, NativePlugin
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result
from tests.support.node.netns import Namespace
from tests.support.node.plugins import NoPlugin, detach, ipams
from tests.support.node.scenarios import static
from tests.support.node.virtual_functions import Function


@dataclass
class Pods:
    """Two sandboxes, and the plugins of one daemon after another."""

    kernel: Kernel
    folder: Path
    one: Namespace
    other: Namespace

    def plugin(self, kind: str = "sriov") -> NativePlugin:
        """Return a plugin as a new daemon has it."""
        made = native_plugins(
            self.kernel,
            ipams(),
            NoPlugin(),
            records=self.folder / "devices",
            vf_holds=self.folder / "sriov",
        )
        return made[kind]

    def call(self, name: str = "c1", sandbox: Namespace | None = None) -> Call:
        return Call(name, (sandbox or self.one).path, "net1")

    async def delete(self, call: Call, conf: NetConf) -> None:
        await detach(self.kernel, self.plugin(conf.type), call, conf)

    def left(self) -> list[str]:
        """Return the files that are left, without locks."""
        found = [path for path in self.folder.rglob("*") if path.is_file()]
        return sorted(path.name for path in found if path.suffix != ".lock")


def netconf(function: Function, **conf: Any) -> NetConf:
    base = {"cniVersion": "1.0.0", "name": "testnet", "type": "sriov"}
    return NetConf({**base, "deviceID": function.address, **conf})


def address(last: int) -> dict[str, Any]:
    return static({"address": f"10.9.0.{last}/24"})


def with_previous(conf: NetConf, result: Result) -> NetConf:
    return NetConf({**conf.raw, "prevResult": result.to_version("1.0.0")})


def settings_of(function: Function, link: dict[str, Any]) -> dict[str, Any]:
    """Return the settings; a function that was up shows its own MAC where none is set."""
    found = function.settings()
    assert found["address"] in {"00:00:00:00:00:00", link["address"]}
    return {key: value for key, value in found.items() if key != "address"}


def pings(source: Namespace, target: str, seconds: float = 12.0) -> bool:
    """Report whether an address answers within some seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            source.run("busybox", "ping", "-c", "1", "-W", "1", target)
        except AssertionError:
            continue
        return True
    return False
