"""A kernel in memory: the sandboxes of a node, their links and default routes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cni.environment import NodeKernel
from cni.net.errors import MissingNetns
from cni.net.kernel import AfterRemoval
from cni.net.live_addresses import SandboxAddresses
from cni.net.sandboxes import Survey
from cni.net.topology import Topology
from cni.net.uplink_carrier import DeadLink, Uplink
from cni.net.workers import Worker
from cni.plugins.plugin import NativePlugins
from cni.reconcile.own_addresses import OwnAddress
from planes.model.addresses import IPAddress
from planes.model.errors import PlanesError
from planes.model.state.wire import Wire

T = TypeVar("T")


class _Silent:
    """A worker whose namespaces have no links: steps of binaries find none to look at."""

    fd = -1

    @property
    def host(self) -> _Silent:
        return self

    @property
    def channel(self) -> _Silent:
        return self

    def sandbox(self, _path: str) -> _Silent:
        return self

    def close(self) -> None:
        """Nothing is open."""

    def __enter__(self) -> _Silent:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def batch(self, requests: Sequence[object]) -> list[list[object]]:
        return [[] for _ in requests]


_NO_WORKER: Any = _Silent()


@dataclass
class FakeKernel:
    """Sandboxes with link names; implements all uses of `NodeKernel` but the host's own addresses.

    Attributes:
        sandboxes: path to inode and names of links.
        removals: the groups that were removed, in order.
        error: raised by `remove_links` while it is set.
        survey_error: raised by `survey` while it is set.
        live: what interfaces have.
        inside: interfaces and addresses of sandboxes, by path.
        dead: links of the host that pass no frames.
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
    inside: dict[str, tuple[tuple[str, IPAddress], ...]] = field(default_factory=dict)
    dead: dict[Uplink, DeadLink] = field(default_factory=dict)
    host: Topology = field(default_factory=Topology)
    looking: Callable[[], None] = lambda: None
    settle_seconds: float = 5.0

    async def look(self, wires: frozenset[Wire]) -> Topology:
        self.looking()
        return self.host

    async def survey(self, netns: str, uplinks: Sequence[Uplink] = ()) -> Survey:
        if self.survey_error is not None:
            raise self.survey_error
        if netns not in self.sandboxes:
            raise MissingNetns(f"cannot open network namespace {netns}: it does not exist")
        inode, names = self.sandboxes[netns]
        dead = {one: self.dead[one] for one in uplinks if one in self.dead}
        return Survey(inode, frozenset(names), dead)

    async def addresses(self, hints: Iterable[str]) -> frozenset[IPAddress]:
        if self.survey_error is not None:
            raise self.survey_error
        return frozenset(self.live)

    async def by_sandbox(self, hints: Iterable[str]) -> tuple[SandboxAddresses, ...]:
        if self.survey_error is not None:
            raise self.survey_error
        return tuple(SandboxAddresses(*one) for one in self.inside.items())

    async def set_default_route(self, netns: str, ifname: str, gateways: Sequence[str]) -> None:
        self.default_routes.append((ifname, tuple(gateways)))

    async def run(
        self,
        job: Callable[[Worker], T],
        undo: Callable[[Worker, T], None] | None = None,
        *,
        waits: bool = False,
    ) -> T:
        """Run a job of no kernel steps in the event loop."""
        await asyncio.sleep(0)
        return job(_NO_WORKER)

    async def remove_links(
        self, netns: str, names: Sequence[str], then: AfterRemoval | None = None
    ) -> None:
        if names:
            self.removals.append(tuple(names))
        error = self.error if names else None
        if error is None and netns in self.sandboxes:
            self.sandboxes[netns][1].difference_update(names)
        if then is not None:
            then(_NO_WORKER, error)
        elif error is not None:
            raise error

    async def absent(self, names: Sequence[str]) -> tuple[str, ...]:
        return ()

    async def adopt(self, names: Sequence[str], in_use: Callable[[], Set[str]]) -> tuple[str, ...]:
        return ()


class _NoAddresses:
    """A host without addresses; implements `OwnHost`."""

    async def addresses(self) -> tuple[OwnAddress, ...]:
        return ()


def node_kernel(kernel: FakeKernel, native: NativePlugins) -> NodeKernel:
    """Return one fake for all uses, with these native types."""
    return NodeKernel(
        sandboxes=kernel,
        links=kernel,
        jobs=kernel,
        live=kernel,
        host=kernel,
        own=_NoAddresses(),
        bridges=kernel,
        native=lambda _ipams, _binary: native,
    )
