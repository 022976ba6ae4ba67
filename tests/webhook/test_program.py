"""`python -m webhook` as a user runs it: over a directory, with real signals and exit statuses."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import ssl
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
import yaml

from tests.support.planes import plane_object
from tests.support.service_manager import ManagerSocket
from tests.support.webhook.admission import HOST, Peer, pod_object, review_object

ROOT = Path(__file__).parent.parent.parent
NAMESPACE = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "shop", "labels": {"plane.netplane.io/business": "enabled"}},
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class Program:
    """One run of the webhook over directories of its own."""

    def __init__(self, directory: Path) -> None:
        self.manifests = directory / "manifests"
        self.certs = directory / "certs"
        self.state = directory / "state"
        self.manifests.mkdir()
        self.certs.mkdir()
        self.port, self.metrics_port = free_port(), free_port()
        self.env = {"PATH": "/usr/bin:/bin"}
        self.process: Process | None = None

    @property
    def arguments(self) -> list[str]:
        return [
            *("--standalone", str(self.manifests)),
            *("--listen", f"{HOST}:{self.port}"),
            *("--cert-dir", str(self.certs)),
            *("--state-dir", str(self.state)),
            *("--metrics", f"{HOST}:{self.metrics_port}"),
        ]

    async def start(self, *arguments: str) -> Process:
        command = (sys.executable, "-m", "webhook", *(arguments or self.arguments))
        self.process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env=self.env, stdout=PIPE, stderr=PIPE
        )
        return self.process

    async def fail(self, *arguments: str) -> tuple[int | None, str]:
        process = await self.start(*arguments)
        _, stderr = await process.communicate()
        return process.returncode, stderr.decode()

    async def connect(self) -> Peer:
        client = ssl.create_default_context(cafile=str(self.certs / "ca.crt"))
        return Peer(*await asyncio.open_connection(HOST, self.port, ssl=client))

    async def ready(self) -> None:
        assert self.process is not None
        for _ in range(200):
            with contextlib.suppress(OSError):
                peer = await self.connect()
                reply = await peer.ask("/readyz", method="GET")
                await peer.close()
                if reply.status == 200:
                    return
            assert self.process.returncode is None, await self.process.stderr.read()  # type: ignore[union-attr]  # it is a pipe
            await asyncio.sleep(0.05)
        raise AssertionError("the webhook did not become ready")


@pytest.fixture
async def program(tmp_path: Path) -> AsyncIterator[Program]:
    running = Program(tmp_path)
    yield running
    process = running.process
    if process is not None:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def write(path: Path, *objects: object) -> None:
    path.write_text(yaml.safe_dump_all(objects))


async def test_from_manifests_to_a_patch_and_back_to_silence(program: Program) -> None:
    """Start over an empty directory, add manifests, ask, read metrics, end by SIGTERM."""
    process = await program.start()
    await program.ready()
    write(program.manifests / "all.yaml", plane_object("business"), NAMESPACE)
    peer = await program.connect()
    for _ in range(40):
        reply = await peer.ask("/mutate/pods", review_object(pod_object()))
        if "patch" in reply.response:
            break
        await asyncio.sleep(0.05)
    assert reply.response["patchType"] == "JSONPatch"
    reader, writer = await asyncio.open_connection(HOST, program.metrics_port)
    writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
    text = (await reader.read()).decode()
    writer.close()
    assert 'netplane_reviews_total{path="/mutate/pods",verdict="patched"} 1.0' in text
    assert "netplane_certificate_expiry_timestamp_seconds" in text
    process.send_signal(signal.SIGTERM)
    _, stderr = await process.communicate()
    assert process.returncode == 0
    assert all("Traceback" not in line for line in stderr.decode().splitlines())
    assert all(orjson.loads(line) for line in stderr.splitlines())


async def test_the_service_manager_is_told_of_start_and_end(
    program: Program, tmp_path: Path
) -> None:
    manager = ManagerSocket(str(tmp_path / "notify"))
    program.env |= {"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "400000"}
    process = await program.start()
    told = await asyncio.to_thread(manager.until, "READY=1")
    assert "STATUS=answering reviews" in told
    peer = await program.connect()
    assert (await peer.ask("/readyz", method="GET")).status == 200
    await peer.close()
    assert "WATCHDOG=1" in await asyncio.to_thread(manager.until, "WATCHDOG=1")
    process.send_signal(signal.SIGTERM)
    told = await asyncio.to_thread(manager.until, "STOPPING=1")
    assert "STATUS=answering the last reviews" in told
    _, stderr = await process.communicate()
    assert process.returncode == 0, stderr
    manager.close()


async def test_keys_and_roots_survive_a_restart(program: Program) -> None:
    process = await program.start()
    await program.ready()
    before = (program.certs / "ca.crt").read_bytes()
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    await program.start()
    await program.ready()
    assert (program.certs / "ca.crt").read_bytes() == before


@pytest.mark.parametrize(
    ("flag", "value", "status", "text"),
    [
        ("--standalone", "/does/not/exist", 2, "cannot use --standalone /does/not/exist: it does"),
        ("--cert-dir", "/does/not/exist", 2, "cannot use --cert-dir /does/not/exist: it does"),
        ("--listen", "nowhere", 2, "cannot use --listen: 'nowhere' is not HOST:PORT"),
        ("--listen", "192.0.2.1:9443", 1, "cannot listen on 192.0.2.1:9443"),
        ("--drain-grace", "-1", 2, "not between 0 and 3600"),
        ("--cert-names", "bad name", 2, "neither a DNS name nor an address"),
    ],
)
async def test_a_wrong_setting_is_one_line(
    program: Program, flag: str, value: str, status: int, text: str
) -> None:
    code, stderr = await program.fail(*program.arguments, f"{flag}={value}")
    assert code == status
    assert text in stderr
    (line,) = [line for line in stderr.splitlines() if not line.startswith("{")]
    assert line.startswith("netplane-webhook: cannot ")


async def test_without_a_directory_the_remedy_is_told(program: Program) -> None:
    code, stderr = await program.fail("--cert-dir", str(program.certs))
    assert code == 2
    assert stderr.startswith("netplane-webhook: cannot use --cert-dir: on a cluster")
    assert "give --certificates files, or --standalone DIR" in stderr


async def test_a_port_in_use_is_one_line(program: Program) -> None:
    with socket.create_server((HOST, program.port)):
        code, stderr = await program.fail()
    assert code == 1
    assert f"cannot listen on {HOST}:{program.port}" in stderr
    assert "Traceback" not in stderr


async def test_a_broken_certificate_is_one_line(program: Program) -> None:
    for name in ("tls.crt", "tls.key"):
        (program.certs / name).write_text("junk")
    code, stderr = await program.fail()
    assert code == 1
    assert "cannot read the certificate of" in stderr
    assert "Traceback" not in stderr


async def test_a_metrics_port_in_use_ends_the_program_without_a_trace(program: Program) -> None:
    with socket.create_server((HOST, program.metrics_port)):
        code, stderr = await program.fail()
    assert code == 1
    assert f"cannot listen on {HOST}:{program.metrics_port} for metrics" in stderr
    assert "Traceback" not in stderr
