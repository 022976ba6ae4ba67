"""A plane on the wire of a node, for tests of probes: its addresses, and what was reported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cni.ipam.conflicts import AddressConflict
from cni.ipam.ipams import Ipams
from cni.native.registry import native_plugins
from cni.net.kernel import Kernel
from cni.plugins.plugin import Call, NativePlugin
from planes.model.spec.plane_spec import Plane
from planes.model.wire.netconf import NetConf
from planes.run.clock import SystemClock
from planes.store.address_book import LocalAddressBook
from planes.store.protocol import AddressOwner
from planes.store.quarantine import Quarantine
from tests.support.model import make_catalog
from tests.support.node.plugins import NoPlugin
from tests.support.planes import make_plane

MACVLAN = {"type": "macvlan", "master": "eth1"}
V4 = [{"cidr": "10.9.0.0/24", "gateway": "10.9.0.1", "staticRanges": ["10.9.0.128/25"]}]
V6 = [{"cidr": "fd00:9::/64", "gateway": "fd00:9::1"}]
PROBE = {"ipam": {"conflictDetection": "Probe"}}


@dataclass
class ProbedWire:
    """A plane on eth1 of a node: what attaches to it, its addresses, and what was reported."""

    kernel: Kernel
    ipams: Ipams
    book: LocalAddressBook
    plane: Plane
    conf: NetConf
    root: Path
    conflicts: list[AddressConflict]

    def plugin(self) -> NativePlugin:
        folder = self.root / "devices"
        made = native_plugins(self.kernel, self.ipams, NoPlugin(), records=folder, vf_holds=folder)
        return made[self.conf.type]

    async def call(self, netns: str, container: str = "c1", **more: Any) -> Call:
        """Return a call with the addresses that were claimed for it."""
        owner = AddressOwner(container, "net1", "shop", f"pod-{container}")
        call = Call(container, netns, "net1", owner=owner, plane=self.plane.name, **more)
        return await self.ipams.claim(call, self.conf)

    async def held(self) -> list[str]:
        return sorted(str(address) for address in await self.book.holders(self.plane.name))

    def resting(self) -> dict[str, str]:
        """Return the addresses in quarantine, with the MAC of who answered."""
        found = Quarantine(self.root / self.plane.name).read(SystemClock().now())
        return {str(address): one.mac for address, one in found.items()}


def wire(kernel: Kernel, root: Path, conf: dict[str, Any], **spec: Any) -> ProbedWire:
    plane = make_plane(**{"subnets": V4, **PROBE, **spec})
    catalog = make_catalog(plane)
    book = LocalAddressBook(root, SystemClock())
    conflicts: list[AddressConflict] = []
    ipams = Ipams(book, lambda: catalog, NoPlugin(), conflicts=conflicts.append)
    ipam = {"type": "plane", "plane": plane.name}
    given = NetConf({"cniVersion": "1.0.0", "name": plane.name, "ipam": ipam, **conf})
    return ProbedWire(kernel, ipams, book, plane, given, root, conflicts)
