"""What this node knows of wires: the catalog with all their names here, for the final gate.

Admission judges NADs by the names in their configurations. Here alternative names, VLAN
interfaces, bridges and devices are known, and what the node's CNI conf dir says of a NAD without a
configuration. Asked for only where a pod uses a network that is no plane's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final, Protocol

from cni.net.host_devices import links_of_device, links_of_path
from cni.net.host_links import read_default_link, read_host_links
from cni.net.kernel import Kernel
from cni.net.workers import Worker
from cni.networks import Networks
from cni.topology import Topology
from cni.world import World
from planes.model.decide.decision import Attachment, Decision
from planes.model.errors import PlanesError
from planes.model.objects import NadRef
from planes.model.state.catalog import Catalog
from planes.model.state.nad_facts import NadFacts, network_facts
from planes.model.state.wire import Wire, WireKind, device_wire
from planes.run.clock import Clock

LOOK_SECONDS: Final = 0.5


class Host(Protocol):
    """Looks at the host's links."""

    async def look(self, wires: frozenset[Wire]) -> Topology:
        """Give the topology, with what these wires need to be found in it.

        Raises:
            PlanesError: the kernel refuses.
        """
        ...


class KernelHost:
    """The real one, as it was a moment (`LOOK_SECONDS`) ago at most: pods come in bursts.

    Args:
        kernel: reads the links.
        clock: says when to look again.
        root: where the host's /sys is, "" where it is ours.
    """

    def __init__(self, kernel: Kernel, clock: Clock, root: str = "") -> None:
        self._kernel = kernel
        self._clock = clock
        self._root = root
        self._seen = Topology()
        self._answers: frozenset[Wire] = frozenset()
        self._look_after = -1.0

    async def look(self, wires: frozenset[Wire]) -> Topology:
        """Look; see `Host.look`."""
        special = frozenset(filter(_is_special, wires))
        now = self._clock.monotonic()
        if now >= self._look_after or not special <= self._answers:
            self._seen = await self._read(special)
            self._answers, self._look_after = special, now + LOOK_SECONDS
        return self._seen

    async def _read(self, wires: frozenset[Wire]) -> Topology:
        asks_default = any(wire.kind is WireKind.LINK for wire in wires)

        def read(worker: Worker) -> Topology:
            default = read_default_link(worker) if asks_default else 0
            return Topology(read_host_links(worker), default, self._devices(wires))

        return await self._kernel.run(read)

    def _devices(self, wires: Iterable[Wire]) -> dict[Wire, tuple[str, ...]]:
        found = {}
        for wire in wires:
            if wire.kind is WireKind.PCI:
                found[wire] = links_of_device(wire.name, self._root)
            elif wire.kind is WireKind.PATH:
                found[wire] = links_of_path(wire.name, self._root)
        return found


def _is_special(wire: Wire) -> bool:
    """Tell whether more has to be read for a wire than the links."""
    is_default = wire.kind is WireKind.LINK and not wire.name
    return is_default or wire.kind in {WireKind.PCI, WireKind.PATH}


class Ground:
    """Gives the catalog as this node sees it.

    Args:
        networks: what NADs without a configuration are here.
        host: the links of the host.
    """

    def __init__(self, networks: Networks, host: Host) -> None:
        self._networks = networks
        self._host = host

    async def seen(
        self,
        catalog: Catalog,
        attachments: Iterable[Attachment],
        given: Mapping[NadRef, NadFacts] | None = None,
    ) -> Catalog:
        """Give the catalog for a decision about some attachments.

        Args:
            catalog: as the store has it.
            attachments: those whose NADs are no plane's.
            given: what networks say that come without a NAD, by made-up names.

        Raises:
            PlanesError: the kernel refuses to tell.
        """
        if not catalog.planes:
            return catalog
        strange = tuple(attachments)
        asked = (*(one.network for one in strange), *(plane.ref for plane in catalog.planes))
        elsewhere = {**await self._elsewhere(catalog, asked), **(given or {})}
        wires = [(elsewhere.get(ref) or catalog.facts_of(ref)).wires for ref in asked]
        wires += [facts.wires for facts in (given or {}).values()]
        devices = [one.selection.device_id for one in strange if one.selection.device_id]
        wires.append(frozenset(map(device_wire, devices)))
        topology = await self._host.look(frozenset().union(*wires))
        return catalog.seen_from_node(topology.expand, elsewhere)

    async def _elsewhere(self, catalog: Catalog, refs: Iterable[NadRef]) -> dict[NadRef, NadFacts]:
        """Read the NADs whose configuration is a file of this node."""
        found = {}
        for ref in refs:
            facts = catalog.facts_of(ref)
            if ref in catalog.nads and not facts.is_known:
                with suppress(PlanesError):  # the planner says what is wrong with it
                    conflist = await self._networks.nad(ref, catalog)
                    found[ref] = network_facts(conflist, catalog.resources.get(ref, ""))
        return found


def strange_attachments(decision: Decision) -> tuple[Attachment, ...]:
    """Give the attachments of a decision whose NADs are no plane's."""
    named = () if decision.default_network is None else (decision.default_network,)
    return tuple(one for one in (*named, *decision.attachments) if one.plane is None)


def ground_of(networks: Networks, world: World, root: str) -> Ground:
    """Give the ground of a daemon.

    Args:
        networks: what NADs without a configuration are here.
        world: what the daemon stands on.
        root: the node's root directory as we see it.
    """
    return Ground(networks, KernelHost(world.kernel, world.clock, root))
