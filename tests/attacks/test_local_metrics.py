"""A local user holds connections to the metrics port: sandboxes are still attached and detached."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import resource
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from planes.run.descriptors import raise_limit
from planes.run.listening.bounds import Bounds
from planes.run.listening.port import Port
from planes.run.metrics import BOUNDS, Metrics, Rendering, serve
from tests.attacks.local import NOBODY, PORT, attackers, sockets
from tests.attacks.peers.attacks import ON_METRICS
from tests.cni.scene import NOTHING, leftovers, set_up
from tests.support.clock import FakeClock
from tests.support.node.daemon import Place, place
from tests.support.node.netns import Node, node, unchanged_machine, why_no_link_kind

kernel = pytest.mark.kernel


@contextmanager
def daemon() -> Iterator[tuple[Place, Node]]:
    """Make a daemon with a metrics port and few descriptors to lose."""
    if reason := why_no_link_kind("macvlan"):
        pytest.skip(reason)
    with (
        unchanged_machine(),
        tempfile.TemporaryDirectory(prefix="np-t-") as folder,
        node() as here,
        place(Path(folder), here.host) as made,
    ):
        set_up(made)
        made.start("--metrics", f"127.0.0.1:{PORT}")
        assert made.process is not None
        resource.prlimit(made.process.pid, resource.RLIMIT_NOFILE, (256, 256))
        yield made, here


@kernel
@pytest.mark.timeout(120)
def test_local_user_on_the_metrics_port_keeps_no_sandbox_waiting() -> None:
    """Descriptors are left, ADD and DEL are answered, and the log does not grow with the attack."""
    with daemon() as (made, here), attackers(made, list(ON_METRICS)):
        assert made.process is not None
        for _ in range(3):
            made.call("ADD", here.sandbox.path, pod="shop/web")
            made.call("DEL", here.sandbox.path, pod="shop/web")
            assert len(sockets(made.process.pid)) < BOUNDS.connections + BOUNDS.waiting + 32
        assert len(made.log.splitlines()) < 100
        assert leftovers(made, here) == NOTHING


@kernel
def test_local_user_cannot_connect_to_the_socket() -> None:
    with daemon() as (made, _):
        command = (
            "import os, socket, sys\n"
            f"os.setgid({NOBODY}); os.setuid({NOBODY})\n"
            "print(socket.socket(socket.AF_UNIX).connect_ex(sys.argv[1]))"
        )
        made.directory.chmod(0o755)
        answer = made.host.run("python3", "-c", command, str(made.socket))
        assert int(answer) == errno.EACCES


@asynccontextmanager
async def served(metrics: Metrics) -> AsyncIterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    task = asyncio.create_task(serve(metrics, "127.0.0.1", port))
    await asyncio.sleep(0.1)
    try:
        yield port
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def scraped(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
    try:
        return await reader.read()
    finally:
        writer.close()


async def test_local_user_with_many_silent_connections_leaves_the_scraper_its_answer() -> None:
    metrics = Metrics()
    async with served(metrics) as port:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(100)]
        assert b"netplane_metrics_refusals" in await scraped(port)
        turned_away = metrics.registry.get_sample_value(
            "netplane_metrics_refusals_total", {"reason": "waiting"}
        )
        assert turned_away is not None
        assert turned_away >= 100 - BOUNDS.waiting
        for _, writer in silent:
            writer.close()


async def test_local_user_with_many_kept_connections_leaves_the_scraper_its_answer() -> None:
    async with served(Metrics()) as port:
        kept = []
        for _ in range(BOUNDS.connections * 2):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            kept.append(writer)
        assert (await scraped(port)).startswith(b"HTTP/1.0 200")
        for writer in kept:
            writer.close()


def test_local_user_who_asks_without_end_gets_what_was_rendered_a_moment_ago() -> None:
    class Slow(Metrics):
        def render(self) -> bytes:
            clock.advance(0.1)
            rendered.append(clock.monotonic())
            return b"values"

    clock, rendered = FakeClock(), list[float]()
    rendering = Rendering(Slow(), clock)
    for _ in range(95):
        assert rendering.text() == b"values"
        clock.advance(0.01)
    assert len(rendered) == 1
    clock.advance(0.1)
    rendering.text()
    assert len(rendered) == 2


async def test_local_user_who_takes_all_descriptors_makes_no_flood_of_log_lines(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """While there is none, peers wait in the kernel's queue; then they are answered."""
    asked = 0

    async def answer(_: object) -> None:
        nonlocal asked
        asked += 1

    reasons: list[str] = []
    port = Port(answer, Bounds(), turned_away=reasons.append)  # type: ignore[arg-type]
    await port.open("127.0.0.1", 0, remedy="")
    peers = [socket.socket() for _ in range(3)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (peers[-1].fileno() + 1, hard))
        for peer in peers:
            peer.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                peer.connect(("127.0.0.1", port.number))
        await asyncio.sleep(0.5)
        assert 1 <= len(caplog.records) <= 20
        assert set(reasons) == {"descriptors"}
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        peers[0].send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        deadline = time.monotonic() + 10
        while not asked and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        assert asked
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for peer in peers:
            peer.close()
        await port.drain(1.0)


def test_local_limit_of_descriptors_is_raised_as_far_as_it_may_be() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, hard), hard))
    try:
        assert raise_limit() == min(hard, 65536)
        assert raise_limit() == min(hard, 65536)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
