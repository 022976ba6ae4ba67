"""The wires of this node: the catalog with all names that a link has here, for policy at ADD.

Admission compares NADs by the names in their configurations. The node also knows alternative
names, VLAN interfaces, bridges and devices, and the file in the CNI conf dir for a NAD without a
configuration. They are read only where a pod uses a network that belongs to no plane.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final, Protocol

from cni.net.host_devices import links_of_device, links_of_path
from cni.net.host_links import read_default_link, read_host_links
from cni.net.kernel import Kernel
from cni.net.topology import Topology
from cni.net.workers import Worker
from cni.planning.networks import Networks
from planes.model.decide.decision import Attachment, Decision
from planes.model.errors import PlanesError
from planes.model.objects import NadRef
from planes.model.state.catalog import Catalog
from planes.model.state.nad_facts import NadFacts, network_facts
from planes.model.state.wire import Wire, WireKind, device_wire
from planes.run.clock import Clock

LOOK_SECONDS: Final = 0.5


class Host(Protocol):
    """Reads the host's links."""

    async def look(self, wires: frozenset[Wire]) -> Topology:
        """Return the links of the host, with what is needed to find these wires among them.

        Raises:
            PlanesError: the kernel refuses.
        """
        ...


class KernelHost:
    """The host of this process, read again after `LOOK_SECONDS`: pods come in bursts.

    Args:
        kernel: reads the links.
        clock: for the age of what was read.
        root: the directory under which the host's /sys is; "" for this process's own.
    """

    def __init__(self, kernel: Kernel, clock: Clock, root: str = "") -> None:
        self._kernel = kernel
        self._clock = clock
        self._root = root
        self._seen = Topology()
        self._answers: frozenset[Wire] = frozenset()
        self._look_after = -1.0

    async def look(self, wires: frozenset[Wire]) -> Topology:
        """Read the links; see `Host.look`."""
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
    """Report whether more than the links has to be read for a wire."""
    is_default = wire.kind is WireKind.LINK and not wire.name
    return is_default or wire.kind in {WireKind.PCI, WireKind.PATH}


class NodeWires:
    """Resolves the wires of a catalog on this node.

    Args:
        networks: reads the configuration of NADs that have none of their own.
        host: reads the links of the host.
    """

    def __init__(self, networks: Networks, host: Host) -> None:
        self._networks = networks
        self._host = host

    async def resolve(
        self,
        catalog: Catalog,
        attachments: Iterable[Attachment],
        given: Mapping[NadRef, NadFacts] | None = None,
    ) -> Catalog:
        """Return the catalog for a decision about some attachments.

        Args:
            catalog: as the store has it.
            attachments: those whose NADs belong to no plane.
            given: networks that have no NAD, by a name made up for each.

        Raises:
            PlanesError: the kernel refuses.
        """
        if not catalog.planes:
            return catalog
        others = tuple(attachments)
        asked = (*(one.network for one in others), *(plane.ref for plane in catalog.planes))
        known = {**await self._from_files(catalog, asked), **(given or {})}
        wires = [(known.get(ref) or catalog.facts_of(ref)).wires for ref in asked]
        wires += [facts.wires for facts in (given or {}).values()]
        devices = [one.selection.device_id for one in others if one.selection.device_id]
        wires.append(frozenset(map(device_wire, devices)))
        topology = await self._host.look(frozenset().union(*wires))
        return catalog.seen_from_node(topology.expand, known)

    async def _from_files(self, catalog: Catalog, refs: Iterable[NadRef]) -> dict[NadRef, NadFacts]:
        """Read the NADs whose configuration is a file of this node."""
        found = {}
        for ref in refs:
            facts = catalog.facts_of(ref)
            if ref in catalog.nads and not facts.is_known:
                with suppress(PlanesError):  # the planner reports the error
                    conflist = await self._networks.nad(ref, catalog)
                    found[ref] = network_facts(conflist, catalog.resources.get(ref, ""))
        return found


def attachments_of_no_plane(decision: Decision) -> tuple[Attachment, ...]:
    """List the attachments of a decision whose NADs belong to no plane."""
    named = () if decision.default_network is None else (decision.default_network,)
    return tuple(one for one in (*named, *decision.attachments) if one.plane is None)
