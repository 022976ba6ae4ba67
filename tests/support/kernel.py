"""A kernel in memory: the sandboxes of a node, their links and default routes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from cni.net.errors import MissingNetns
from cni.sandbox import Survey
from cni.topology import Topology
from planes.model.addresses import IPAddress
from planes.model.errors import PlanesError
from planes.model.state.wire import Wire


@dataclass
class FakeKernel:
    """Sandboxes with link names; implements `Sandboxes`, `Links` and `Host`.

    Attributes:
        sandboxes: path to inode and names of links.
        removals: the groups that were removed, in order.
        error: raised by `remove_links` while it is set.
        survey_error: raised by `survey` while it is set.
        live: what interfaces have.
        default_routes: who took default routes through which gateways.
        host: the host's links.
        looking: called whenever somebody looks at them.
    """

    sandboxes: dict[str, tuple[int, set[str]]] = field(default_factory=dict)
    removals: list[tuple[str, ...]] = field(default_factory=list)
    error: PlanesError | None = None
    survey_error: PlanesError | None = None
    default_routes: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    live: set[IPAddress] = field(default_factory=set)
    host: Topology = field(default_factory=Topology)
    looking: Callable[[], None] = lambda: None

    async def look(self, wires: frozenset[Wire]) -> Topology:
        self.looking()
        return self.host

    async def survey(self, netns: str) -> Survey:
        if self.survey_error is not None:
            raise self.survey_error
        if netns not in self.sandboxes:
            raise MissingNetns(f"cannot open network namespace {netns}: it does not exist")
        inode, names = self.sandboxes[netns]
        return Survey(inode, frozenset(names))

    async def addresses(self, hints: Iterable[str]) -> frozenset[IPAddress]:
        if self.survey_error is not None:
            raise self.survey_error
        return frozenset(self.live)

    async def set_default_route(self, netns: str, ifname: str, gateways: Sequence[str]) -> None:
        self.default_routes.append((ifname, tuple(gateways)))

    async def remove_links(self, netns: str, names: Sequence[str]) -> None:
        self.removals.append(tuple(names))
        if self.error is not None:
            raise self.error
        if netns in self.sandboxes:
            self.sandboxes[netns][1].difference_update(names)
