"""A plugin type carried out in this process whose links live in `FakeKernel`."""

from __future__ import annotations

from cni.plugins.plugin import Call
from planes.model.errors import Internal, PlanesError
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Address, Interface, Result
from tests.support.cni.kernel import FakeKernel


class FakeNative:
    """A native type: one link and, like an address, one entry in `held`."""

    def __init__(self, kernel: FakeKernel, log: list[str]) -> None:
        self._kernel = kernel
        self._log = log
        self.held: set[tuple[str, str]] = set()
        self.add_error: PlanesError | None = None
        self.release_error: PlanesError | None = None
        self.differs = ""

    def unsupported(self, conf: NetConf) -> str:
        return "as asked" if conf.raw.get("exotic") else ""

    def links(self, call: Call, conf: NetConf) -> tuple[str, ...]:
        return (call.ifname,)

    async def add(self, call: Call, conf: NetConf) -> Result:
        self._log.append(f"add {call.ifname}")
        self.held.add((call.container_id, call.ifname))
        self._kernel.sandboxes[call.netns][1].add(call.ifname)
        if self.add_error is not None:
            raise self.add_error
        link = Interface(call.ifname, mac="02:00:00:00:00:02", sandbox=call.netns)
        return Result((link,), (Address(conf.raw.get("ip", "10.1.0.2/24"), interface=0),))

    async def check(self, call: Call, conf: NetConf) -> None:
        if self.differs:
            raise Internal(self.differs)

    async def status(self, call: Call, conf: NetConf) -> None:
        self._log.append("status")

    async def release(self, call: Call, conf: NetConf) -> None:
        self._log.append(f"release {call.ifname}")
        if self.release_error is not None:
            raise self.release_error
        self.held.discard((call.container_id, call.ifname))
