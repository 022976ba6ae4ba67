"""Warn of planes that have addresses of this node, in the log and in an event of the node.

A plane whose pool has an address of the node would use it twice. The pods of a plane that overlaps
the subnet of another interface of the node cannot reach that network. Neither plane is refused:
the administrator may know better (issue 10). Checked when planes change, and on a timer.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from cni.attaching.status_reports import StatusReporter
from cni.net.addresses import get_addresses, read_addresses
from cni.net.host_links import read_host_links
from cni.net.kernel import Kernel
from cni.net.workers import Worker
from planes.model.addresses import IPAddress, IPInterface
from planes.model.errors import PlanesError
from planes.model.events import about_node
from planes.model.spans import SpanSet
from planes.model.spec.plane_spec import Plane
from planes.model.state.rivals import pool_of
from planes.run.clock import Clock
from planes.store.protocol import Store

_log = logging.getLogger(__name__)

REASON: Final = "PlaneOnNodeAddress"
LOOK_SECONDS: Final = 30.0
_ROUNDS: Final = 20
"""After this many checks the addresses are read again, even where no plane has changed."""
_GLOBAL: Final = 0  # RT_SCOPE_UNIVERSE; host and link scopes are every node's own
MOST_WARNINGS: Final = 16


@dataclass(frozen=True, slots=True)
class OwnAddress:
    """An address of the node, on an interface that may have several names."""

    names: tuple[str, ...]
    address: IPInterface

    @property
    def ip(self) -> IPAddress:
        """Return the address without its prefix length."""
        return self.address.ip


class OwnHost(Protocol):
    """Reads the node's own addresses."""

    async def addresses(self) -> tuple[OwnAddress, ...]:
        """Return all global addresses of the node.

        Raises:
            PlanesError: the kernel refuses.
        """
        ...


class KernelOwnHost:
    """Reads the node's own addresses from the kernel."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    async def addresses(self) -> tuple[OwnAddress, ...]:
        """Return all global addresses of the node; see `OwnHost.addresses`."""
        return await self._kernel.run(_read)


def _read(worker: Worker) -> tuple[OwnAddress, ...]:
    names = {link.index: link.names for link in read_host_links(worker)}
    found = read_addresses(worker.host.dump(get_addresses()))
    return tuple(
        OwnAddress(names[one.link], one.address)
        for one in found
        if one.scope == _GLOBAL and one.link in names
    )


def warnings_of(planes: Iterable[Plane], own: Iterable[OwnAddress]) -> Iterator[tuple[str, str]]:
    """Yield name and warning text of each plane that has addresses of the node."""
    known = tuple(own)
    for plane in planes:
        pool = SpanSet(pool_of(plane))
        found = next((each for each in known if each.ip in pool), None)
        if found is not None:
            yield plane.name, f"plane {plane.name} hands out {found.ip}, which {_on(found)} has"
            continue
        other = next((each for each in known if _is_elsewhere(plane, each)), None)
        if other is not None:
            text = (
                f"plane {plane.name} overlaps {other.address.network}, the network of {_on(other)}"
            )
            yield plane.name, f"{text}: its pods do not reach that network"


def _on(own: OwnAddress) -> str:
    return f"this node's {own.names[0]}"


def _is_elsewhere(plane: Plane, own: OwnAddress) -> bool:
    """Report whether a plane overlaps the network of an address on an interface not its master."""
    network = plane.network
    if network is None or not network.master:
        return False  # the interface of the plane is unknown
    if network.master in own.names or network.master.partition(".")[0] in own.names:
        return False
    return any(
        subnet.version == own.address.version and subnet.cidr.overlaps(own.address.network)
        for subnet in plane.subnets
    )


class OwnAddresses:
    """Compares planes with the node's addresses, and warns of each plane once.

    Args:
        node: the name of the node that gets the events.
    """

    def __init__(
        self, host: OwnHost, store: Store, reporter: StatusReporter, clock: Clock, node: str
    ) -> None:
        self._host = host
        self._store = store
        self._reporter = reporter
        self._clock = clock
        self._node = node
        self._warned: dict[str, str] = {}
        self._planes: tuple[Plane, ...] = ()

    async def run(self) -> None:
        """Check on a timer until cancelled."""
        rounds = 0
        while True:
            rounds = (rounds + 1) % _ROUNDS
            planes = self._store.catalog.planes
            if planes != self._planes or rounds == 1:
                try:
                    await self._check(planes)
                except PlanesError as error:
                    _log.warning("own addresses not read", extra={"reason": str(error)})
            await self._clock.sleep(LOOK_SECONDS)

    async def _check(self, planes: tuple[Plane, ...]) -> None:
        found = dict(warnings_of(planes, await self._host.addresses()))
        news = [text for name, text in found.items() if self._warned.get(name) != text]
        self._planes, self._warned = planes, found
        for text in news[:MOST_WARNINGS]:
            _log.warning("a plane has addresses of this node", extra={"cause": text})
            self._reporter.queue([about_node(self._node, REASON, text, warns=True)])
