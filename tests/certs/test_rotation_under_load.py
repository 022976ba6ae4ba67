"""A hundred rotations of root and certificate while clients come, go and stay."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from certs.bundle import Certificate, Pair, verify
from certs.ca_bundles import KINDS
from certs.issue import Lifetimes
from certs.policy import RenewalSettings
from planes.kube.resources import Resource
from planes.model.errors import BadInput
from tests.support.certificates import current
from tests.support.certificates_cluster import Cluster, Member, look_on
from tests.support.clock import FakeClock
from tests.support.kube.interleaved import Interleaved

HOST = "127.0.0.1"
ROTATIONS = 100
SPREAD = timedelta(seconds=60)

# TLS clients have the real clock: the years of a hundred rotations must pass within a day, so
# certificates are due when they are minutes old, counted from a day before they were made.
LIFETIMES = Lifetimes(
    root=timedelta(days=365), serving=timedelta(days=365), backdate=timedelta(days=1)
)
DUE = (timedelta(days=1) + timedelta(seconds=80)) / timedelta(days=366)


class Witness:
    """An API server that may still go by a bundle that was replaced up to `SPREAD` ago."""

    def __init__(self, cluster: Cluster) -> None:
        self.checks = 0
        self.failures: list[str] = []
        self.members: list[Member] = []
        self._cluster = cluster
        self._bundles: deque[tuple[float, frozenset[bytes]]] = deque()
        self._verdicts: dict[tuple[Pair, bytes], bool] = {}

    def written(self, kind: Resource) -> None:
        """Look at a write of anything as it happens."""
        if kind in KINDS:
            self._bundles.append((self._cluster.clock.now(), frozenset(self._cluster.bundles())))
        self.check()

    def check(self) -> None:
        """Hold what every member shows against every bundle that somebody may go by now."""
        earliest = self._cluster.clock.now() - SPREAD.total_seconds()
        while len(self._bundles) > 1 and self._bundles[1][0] <= earliest:
            self._bundles.popleft()
        for member in self.members:
            pair = member.context.pair
            for at, bundles in self._bundles if pair else ():
                for pem in bundles:
                    self.checks += 1
                    if not self._accepts(member.shown, pem):
                        self.failures.append(f"{member.pod} at {self._cluster.now}, bundle of {at}")

    def _accepts(self, pair: Pair, pem: bytes) -> bool:
        if (pair, pem) not in self._verdicts:
            try:
                verify(pair, Certificate.parse_all(pem, "caBundle"), self._cluster.now, "pair")
                self._verdicts[pair, pem] = True
            except BadInput:
                self._verdicts[pair, pem] = False
        return self._verdicts[pair, pem]


class Clients:
    """They trust what the configurations say when they connect, and nothing else."""

    def __init__(self, cluster: Cluster, ports: list[int]) -> None:
        self.handshakes = 0
        self.answers = 0
        self.failures: list[str] = []
        self._cluster = cluster
        self._ports = ports
        self._contexts: dict[bytes, ssl.SSLContext] = {}
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """End each at its next pause."""
        self._stop.set()

    async def reconnect(self, first: int) -> None:
        """Connect to one replica after another, for each configuration entry in turn."""
        turn = first
        while not self._stop.is_set():
            turn += 1
            pems = self._cluster.bundles()
            await self._dial(self._ports[turn % len(self._ports)], pems[turn % len(pems)])

    async def stay(self, port: int) -> None:
        """Keep one connection and use it all the time."""
        trust = self._trust(self._cluster.bundles()[0])
        reader, writer = await asyncio.open_connection(HOST, port, ssl=trust)
        try:
            while not self._stop.is_set():
                writer.write(b"x")
                await reader.readexactly(1)
                self.answers += 1
                await asyncio.sleep(0.01)
        except (OSError, asyncio.IncompleteReadError) as exc:
            self.failures.append(repr(exc))
        writer.close()
        await writer.wait_closed()

    async def _dial(self, port: int, pem: bytes) -> None:
        stage = "handshake"
        try:
            reader, writer = await asyncio.open_connection(HOST, port, ssl=self._trust(pem))
            self.handshakes += 1
            stage = "answer"
            writer.write(b"x")
            await reader.readexactly(1)
            self.answers += 1
            stage = "end"
            writer.close()
            await writer.wait_closed()
        except (OSError, asyncio.IncompleteReadError) as exc:
            self.failures.append(f"{stage}: {exc!r}")

    def _trust(self, pem: bytes) -> ssl.SSLContext:
        if pem not in self._contexts:
            self._contexts[pem] = ssl.create_default_context(cadata=pem.decode())
        return self._contexts[pem]


@contextlib.asynccontextmanager
async def listening(*members: Member) -> AsyncIterator[list[int]]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while data := await reader.read(100):
                writer.write(data)
                await writer.drain()
        writer.close()

    async with contextlib.AsyncExitStack() as stack:
        ports = []
        for member in members:
            server = await asyncio.start_server(echo, HOST, 0, ssl=member.context.listener)
            await stack.enter_async_context(server)
            ports.append(int(server.sockets[0].getsockname()[1]))
        yield ports


def member(cluster: Cluster, pod: str, witness: Witness) -> Member:
    api = Interleaved(cluster.api, len(witness.members), most=1)
    api.on_write = witness.written
    names = ("localhost", HOST)
    settings = RenewalSettings(frozenset({*Member.names_with(names)}), renew_at=DUE, spread=SPREAD)
    made = cluster.replica(pod, api=api, names=names, lifetimes=LIFETIMES, settings=settings)
    witness.members.append(made)
    return made


async def rotate(cluster: Cluster, witness: Witness, clients: Clients) -> int:
    """Let time pass until root and certificate have changed often enough; how often they did."""
    roots: set[str] = set()
    pairs: set[str] = set()
    while len(roots) <= ROTATIONS:
        await look_on(cluster, *witness.members, seconds=10)
        witness.check()
        roots.add(cluster.kept.roots[0].id)
        pairs.update(each.shown.certificate.id for each in witness.members)
        cluster.leader = witness.members[len(roots) // 10 % 2].pod
        await asyncio.sleep(0.002)
    clients.stop()
    return min(len(roots), len(pairs)) - 1


@pytest.mark.timeout(120)
async def test_a_hundred_rotations_under_load_fail_no_handshake_and_are_trusted_throughout() -> (
    None
):
    """The leader changes every ten rotations; the API server goes by any bundle of a minute."""
    cluster = Cluster(FakeClock(current().timestamp()))
    witness = Witness(cluster)
    one, two = member(cluster, "one", witness), member(cluster, "two", witness)
    await look_on(cluster, one, two, seconds=120)
    witness.failures.clear()
    async with listening(one, two) as ports:
        clients = Clients(cluster, ports)
        async with asyncio.TaskGroup() as group:
            for number in range(2):
                group.create_task(clients.reconnect(number))
            for port in ports:
                group.create_task(clients.stay(port))
            rotations = await group.create_task(rotate(cluster, witness, clients))
    assert rotations >= ROTATIONS
    assert clients.failures == []
    assert witness.failures == []
    assert clients.handshakes > 5 * ROTATIONS
    assert clients.answers > clients.handshakes
    assert witness.checks > 50 * ROTATIONS
    assert one.failures == two.failures == []
