"""`python -m webhook` on a cluster whose API server is away: it runs, and is not ready."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.certificates import current, make_root, make_serving
from tests.support.webhook.admission import HOST, Peer
from tests.webhook.test_program import Program, free_port


@pytest.fixture
async def program(tmp_path: Path) -> AsyncIterator[Program]:
    running = Program(tmp_path)
    yield running
    if running.process is not None:
        if running.process.returncode is None:
            running.process.kill()
        await running.process.communicate()


def arguments(program: Program, folder: Path, *more: str) -> list[str]:
    config = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "clusters": [{"name": "here", "cluster": {"server": f"https://{HOST}:{free_port()}"}}],
        "users": [{"name": "me", "user": {"token": "a-token"}}],
    }
    (folder / "kubeconfig").write_text(json.dumps(config))
    return [
        *("--kubeconfig", str(folder / "kubeconfig"), "--listen", f"{HOST}:{program.port}"),
        *("--metrics", f"{HOST}:{program.metrics_port}", "--pod", "webhook-1", *more),
    ]


async def test_files_of_somebody_else_are_served_and_nothing_is_written(
    program: Program, tmp_path: Path
) -> None:
    root = make_root(current())
    pair = make_serving(root, current())
    for name, content in (
        ("ca.crt", root.certificate.pem),
        ("tls.crt", pair.chain),
        ("tls.key", pair.key),
    ):
        (program.certs / name).write_bytes(content)
    files = ("--certificates", "files", "--cert-dir", str(program.certs))
    process = await program.start(*arguments(program, tmp_path, *files))
    peer = await _connected(program)
    assert (await peer.ask("/livez", method="GET")).status == 200
    reply = await peer.ask("/readyz", method="GET")
    assert reply.status == 503
    assert b"planes" in reply.body
    assert b"have not been read yet" in reply.body
    assert b"certificate" not in reply.body
    await peer.close()
    process.send_signal(signal.SIGTERM)
    _, stderr = await process.communicate()
    assert process.returncode == 0
    assert sorted(path.name for path in program.certs.iterdir()) == ["ca.crt", "tls.crt", "tls.key"]
    assert b"a-token" not in stderr


async def test_outside_a_cluster_the_ways_in_are_told(program: Program) -> None:
    code, stderr = await program.fail("--listen", f"{HOST}:{program.port}")
    assert code == 1
    assert stderr.startswith("netplane-webhook: cannot find the API server")
    assert "--kubeconfig" in stderr


async def _connected(program: Program) -> Peer:
    for _ in range(200):
        with contextlib.suppress(OSError):
            return await program.connect()
        await asyncio.sleep(0.05)
    raise AssertionError("the webhook does not listen")
