"""Nodes lend addresses and return blocks on a real API server, also where answers are lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from planes.kube.addresses.address_book import KubeAddressBook
from planes.kube.api import Change, KubeApi, Page, PatchKind, Query
from planes.kube.client.access import connect
from planes.kube.client.client import Client
from planes.kube.resources import Resource
from planes.model.errors import JsonObject, PlanesError, Unavailable
from planes.model.spec.plane_spec import Plane
from planes.run.clock import SystemClock
from planes.store.protocol import AddressOwner
from tests.cluster.apiserver import ApiServer
from tests.support.planes import make_plane

T = TypeVar("T")

CRD = Path(__file__).parents[2] / "manifests/base/crds/ipblocks.yaml"


@pytest.fixture(scope="module")
def server(api_server: ApiServer) -> ApiServer:
    """The API server with the kind."""
    api_server.kubectl("apply", "--server-side", "-f", str(CRD))
    api_server.kubectl("wait", "--for=condition=Established", "crd/ipblocks.netplane.io")
    return api_server


@pytest.fixture
async def client(server: ApiServer) -> AsyncIterator[Client]:
    async with connect(server.kubeconfig(), user_agent="netplane-test/1") as made:
        yield made


class Faulty:
    """A connection whose writes break: before they arrive, after that, or in between.

    Args:
        api: the API server.
        rng: decides which.
    """

    def __init__(self, api: KubeApi, rng: random.Random) -> None:
        self._api = api
        self._rng = rng
        self.strays: set[asyncio.Task[None]] = set()

    async def get(
        self, resource: Resource, name: str, *, namespace: str = "", is_metadata_only: bool = False
    ) -> JsonObject:
        return await self._api.get(
            resource, name, namespace=namespace, is_metadata_only=is_metadata_only
        )

    def pages(self, query: Query) -> AsyncGenerator[Page, None]:
        return self._api.pages(query)

    def watch(self, query: Query, resource_version: str) -> AsyncGenerator[Change, None]:
        return self._api.watch(query, resource_version)

    async def create(
        self, resource: Resource, obj: JsonObject, *, namespace: str = ""
    ) -> JsonObject:
        return await self._write(lambda: self._api.create(resource, obj, namespace=namespace))

    async def replace(
        self, resource: Resource, obj: JsonObject, *, subresource: str = ""
    ) -> JsonObject:
        return await self._write(lambda: self._api.replace(resource, obj, subresource=subresource))

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str = "",
        uid: str = "",
        resource_version: str = "",
    ) -> None:
        await self._write(
            lambda: self._api.delete(
                resource, name, namespace=namespace, uid=uid, resource_version=resource_version
            )
        )

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        namespace: str = "",
        subresource: str = "",
        kind: PatchKind = PatchKind.MERGE,
    ) -> JsonObject:
        raise AssertionError("address books do not patch")

    async def _write(self, request: Callable[[], Coroutine[Any, Any, T]]) -> T:
        fate = self._rng.random()
        if fate < 0.03:
            raise Unavailable("cannot write: the connection broke before")
        if fate < 0.08:
            stray = asyncio.create_task(self._late(request, self._rng.random() / 4))
            self.strays.add(stray)
            stray.add_done_callback(self.strays.discard)
            raise Unavailable("cannot write: nobody waits any longer")
        done = await request()
        if fate > 0.95:
            raise Unavailable("cannot write: the answer is lost")
        return done

    @staticmethod
    async def _late(request: Callable[[], Coroutine[Any, Any, T]], seconds: float) -> None:
        await asyncio.sleep(seconds)
        with suppress(PlanesError):
            await request()


@dataclass(slots=True)
class Daemon:
    """A node's daemon, which can be killed and begun anew over its state."""

    node: str
    state: Path
    api: KubeApi
    book: KubeAddressBook
    run: asyncio.Task[None]
    pods: dict[int, str] = field(default_factory=dict)
    claims: set[asyncio.Task[None]] = field(default_factory=set)


def begin(api: KubeApi, node: str, state: Path, plane: Plane) -> Daemon:
    book = KubeAddressBook(api, node, state / node, SystemClock(), plane_of=lambda _name: plane)
    return Daemon(node, state, api, book, asyncio.create_task(book.run()))


async def end(daemon: Daemon) -> None:
    """Kill a daemon: what it does stops where it is."""
    tasks = [daemon.run, *daemon.claims]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def daemons(
    api: KubeApi, state: Path, plane: Plane, *nodes: str
) -> AsyncIterator[list[Daemon]]:
    made = [begin(api, node, state, plane) for node in nodes]
    try:
        yield made
    finally:
        for each in made:
            await end(each)


def owner(plane: Plane, number: int, node: str) -> AddressOwner:
    return AddressOwner(f"{plane.name}{number}", "net1", "default", f"p{number}", "u", node)


async def take(daemon: Daemon, plane: Plane, number: int) -> str:
    (claimed,) = await daemon.book.claim(plane, owner(plane, number, daemon.node))
    return claimed.address.partition("/")[0]


async def test_125_addresses_of_a_25_are_used_by_two_nodes_to_the_last(
    client: Client, tmp_path: Path
) -> None:
    plane = make_plane("last", subnets=[{"cidr": "10.40.0.0/25", "gateway": "10.40.0.1"}])
    async with daemons(client, tmp_path, plane, "n1", "n2") as (one, two):
        both = ((one, 0), (two, 1))
        claims = [take(each, plane, 2 * n + odd) for n in range(60) for each, odd in both]
        taken = list(await asyncio.gather(*claims))
        taken += [await take(two, plane, number) for number in range(120, 125)]
        assert len(set(taken)) == 125
        with pytest.raises(PlanesError) as caught:
            await take(two, plane, 125)
        text = str(caught.value)
        assert "of 125 addresses node n2 has" in text
        assert "the others belong to n1" in text
        assert "asked n1: none free there" in text


async def test_blocks_come_back_when_the_daemon_goes(
    client: Client, server: ApiServer, tmp_path: Path
) -> None:
    plane = make_plane("back", subnets=[{"cidr": "10.41.0.0/25"}])
    async with daemons(client, tmp_path, plane, "n1") as (one,):
        for number in range(20):
            await take(one, plane, number)
        for number in range(20):
            await one.book.release("back", f"back{number}", "net1")
        await end(one)
        await one.book.retire()
    found = server.get("ipb", "--field-selector=spec.plane=back,spec.use=Node")["items"]
    assert found == []


class Play:
    """Pods come and go on three nodes, requests fail, daemons are killed; one plane for all."""

    def __init__(self, api: KubeApi, state: Path, plane: Plane, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - so that a play can be repeated
        self.api = Faulty(api, self.rng)
        self.plane = plane
        self.state = state
        self.daemons = [begin(self.api, node, state, plane) for node in ("n1", "n2", "n3")]
        self.number = 0
        self.claimed = 0

    async def go_on(self, steps: int) -> None:
        for _ in range(steps):
            daemon = self.rng.choice(self.daemons)
            what = self.rng.random()
            if what < 0.55:
                self.number += 1
                task = asyncio.create_task(self._attach(daemon, self.number))
                daemon.claims.add(task)
                task.add_done_callback(daemon.claims.discard)
            elif what < 0.95 and daemon.pods:
                await self._detach(daemon, self.rng.choice(list(daemon.pods)))
            elif what > 0.98:
                await self._kill(daemon)
            await asyncio.sleep(self.rng.random() / 50)

    async def _attach(self, daemon: Daemon, number: int) -> None:
        try:
            address = await take(daemon, self.plane, number)
        except PlanesError:
            await daemon.book.release(self.plane.name, f"{self.plane.name}{number}", "net1")
            return
        holders = [a for each in self.daemons for a in each.pods.values()]
        assert address not in holders, f"{address} twice"
        daemon.pods[number] = address
        self.claimed += 1

    async def _detach(self, daemon: Daemon, number: int) -> None:
        del daemon.pods[number]
        await daemon.book.release(self.plane.name, f"{self.plane.name}{number}", "net1")

    async def _kill(self, daemon: Daemon) -> None:
        claims = tuple(daemon.claims)
        await end(daemon)
        for each in claims:
            if not each.cancelled() and (error := each.exception()):
                raise error
        anew = begin(self.api, daemon.node, self.state, self.plane)
        anew.pods = daemon.pods
        self.daemons[self.daemons.index(daemon)] = anew
        known = {(f"{self.plane.name}{number}", "net1") for number in anew.pods}
        for held in await anew.book.held_by_others(known):  # as the journal has it undone
            await anew.book.give_back(held)

    async def finish(self) -> None:
        for daemon in self.daemons:
            await asyncio.wait_for(asyncio.gather(*daemon.claims), 60)
            await end(daemon)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seed", range(3))
async def test_no_address_is_held_twice_though_requests_fail_and_daemons_are_killed(
    client: Client, tmp_path: Path, seed: int
) -> None:
    plane = make_plane(
        f"play{seed}", subnets=[{"cidr": f"10.42.{seed}.0/28"}], ipam={"blockSize": 30}
    )
    play = Play(client, tmp_path, plane, seed)
    try:
        await play.go_on(400)
    finally:
        await play.finish()
    assert play.claimed > 20
