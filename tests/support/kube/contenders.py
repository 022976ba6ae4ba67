"""Replicas that contend for a lease, each with a connection of its own to one API server."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field

from planes.kube.leadership.leader_election import LeaderElection
from planes.kube.resources import LEASES, Resource
from planes.model.errors import JsonObject, Unavailable
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube

NAMESPACE, NAME = "netplane-system", "netplane-webhook"
AWAY = Unavailable("cannot reach the API server")


async def settle() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


class Line:
    """The way of one replica to the API server: it may refuse, or answer nothing at all."""

    def __init__(self, kube: FakeKube) -> None:
        self._kube = kube
        self.is_cut = False
        self.is_silent = False

    async def _pass(self) -> None:
        if self.is_silent:
            await asyncio.get_running_loop().create_future()
        if self.is_cut:
            raise AWAY

    async def get(
        self, resource: Resource, name: str, *, namespace: str = "", is_metadata_only: bool = False
    ) -> JsonObject:
        await self._pass()
        return await self._kube.get(
            resource, name, namespace=namespace, is_metadata_only=is_metadata_only
        )

    async def create(
        self, resource: Resource, obj: JsonObject, *, namespace: str = ""
    ) -> JsonObject:
        await self._pass()
        return await self._kube.create(resource, obj, namespace=namespace)

    async def replace(
        self, resource: Resource, obj: JsonObject, *, subresource: str = ""
    ) -> JsonObject:
        await self._pass()
        found = await self._kube.replace(resource, obj, subresource=subresource)
        await self._pass()  # written, but the answer may be lost
        return found


class WrongClock(FakeClock):
    """Another clock's pace with a wall time of its own."""

    def __init__(self, true: FakeClock, offset: float) -> None:
        super().__init__()
        self._true, self._offset = true, offset

    def now(self) -> float:
        return self._true.now() + self._offset

    def monotonic(self) -> float:
        return self._true.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._true.sleep(seconds)


@dataclass
class Replica:
    """One contender, its line, and what its work saw."""

    line: Line
    leadership: LeaderElection
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    is_working: bool = False

    def start(self) -> None:
        self.tasks = [
            asyncio.ensure_future(self.leadership.run()),
            asyncio.ensure_future(self.leadership.lead(self._work)),
        ]

    async def stop(self) -> None:
        for task in reversed(self.tasks):
            task.cancel()
            await asyncio.wait({task})
        self.tasks = []

    async def _work(self) -> None:
        self.is_working = True
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.is_working = False


class Place:
    """An API server, a clock, and replicas that start and go."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.kube = FakeKube(clock=self.clock)
        self.replicas: list[Replica] = []
        self._names = itertools.count()

    def add(self, offset: float = 0.0) -> Replica:
        line = Line(self.kube)
        leadership = LeaderElection(
            line,  # type: ignore[arg-type]  # a lease needs get, create and replace alone
            WrongClock(self.clock, offset),
            namespace=NAMESPACE,
            name=NAME,
            identity=f"replica-{next(self._names)}",
            randomness=lambda: 0.5,
        )
        replica = Replica(line, leadership)
        replica.start()
        self.replicas.append(replica)
        return replica

    async def after(self, seconds: float) -> None:
        """Let time pass in small steps; never do two lead, and never work two."""
        while seconds > 0:
            self.clock.advance(min(0.5, seconds))
            seconds -= 0.5
            await settle()
            assert sum(each.leadership.is_leader for each in self.replicas) <= 1
            assert sum(each.is_working for each in self.replicas) <= 1

    @property
    def spec(self) -> JsonObject:
        lease = self.kube.object(LEASES, NAME, NAMESPACE)
        assert lease is not None
        spec: JsonObject = lease["spec"]
        return spec

    async def close(self) -> None:
        for each in self.replicas:
            each.line.is_cut = True
            each.line.is_silent = False
            await each.stop()
