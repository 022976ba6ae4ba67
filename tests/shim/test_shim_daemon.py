"""The real shim against the real server: what a container runtime sees of both together."""

from __future__ import annotations

import asyncio
import json

import pytest

from cni.call import CniRequest
from cni.serving.spool import Replay, Spool
from planes.model.errors import Conflict
from planes.run.clock import SystemClock
from tests.support.cni.serving import running
from tests.support.cni.verbs import FakeVerbs
from tests.support.node.shim import NETCONF, Shim


async def run(shim: Shim, verb: str, stdin: bytes = NETCONF, **more: str) -> tuple[int, bytes]:
    """Call the shim without blocking the server in our event loop; exit status and stdout."""
    process = await asyncio.create_subprocess_exec(
        shim.binary,
        env=shim.env(verb, **more),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate(stdin)
    return process.returncode or 0, out


async def test_a_call_goes_through_byte_for_byte(shim: Shim) -> None:
    verbs = FakeVerbs(b'{"cniVersion": "1.0.0"}')
    async with running(verbs, shim.socket):
        answer = await run(shim, "ADD", CNI_ARGS="K8S_POD_NAME=p", CNI_PATH="/a:/b")
    assert answer == (0, b'{"cniVersion": "1.0.0"}')
    [request] = verbs.requests
    assert (request.container_id, request.netns, request.ifname) == (
        "c0ffee",
        "/run/netns/x",
        "eth0",
    )
    assert (request.cni_args, request.cni_path) == ((("K8S_POD_NAME", "p"),), ("/a", "/b"))


async def test_an_error_is_on_stdout_with_exit_status_1(shim: Shim) -> None:
    async with running(FakeVerbs(Conflict("cannot use 10.0.0.5: taken")), shim.socket):
        status, out = await run(shim, "ADD")
    error = {"cniVersion": "1.0.0", "code": 111, "msg": "cannot use 10.0.0.5: taken"}
    assert (status, json.loads(out)) == (1, error)


async def test_paths_that_are_no_utf_8_arrive_as_they_are(shim: Shim) -> None:
    verbs = FakeVerbs()
    async with running(verbs, shim.socket):
        await run(shim, "ADD", CNI_NETNS="/run/netns/\udcff\u00e9")
    assert verbs.requests[0].netns == "/run/netns/\udcff\u00e9"


async def test_the_largest_config_goes_through(shim: Shim) -> None:
    verbs = FakeVerbs(b"x" * 3_000_000)
    config = NETCONF[:-1] + b',"x":"' + b"y" * ((8 << 20) - len(NETCONF) - 7) + b'"}'
    async with running(verbs, shim.socket):
        answer = await run(shim, "ADD", config)
    assert answer == (0, b"x" * 3_000_000)
    assert verbs.requests[0].stdin == config


async def test_fifty_calls_at_once_are_all_answered(shim: Shim) -> None:
    async with running(FakeVerbs(b"{}"), shim.socket):
        calls = [run(shim, "ADD", CNI_CONTAINERID=f"c{number}") for number in range(50)]
        assert set(await asyncio.gather(*calls)) == {(0, b"{}")}


async def test_an_add_survives_a_restart_of_the_daemon(shim: Shim) -> None:
    """Those who come while one daemon stops and the next is not there yet just wait."""
    first, second = FakeVerbs(b"first"), FakeVerbs(b"second")
    calls: list[asyncio.Task[tuple[int, bytes]]] = []
    async with running(first, shim.socket) as serving:
        serving.cancel()
        for number in range(20):
            more = {"CNI_CONTAINERID": f"c{number}", "NETPLANE_WAIT_SECONDS": "20"}
            calls.append(asyncio.create_task(run(shim, "ADD", NETCONF, **more)))
            await asyncio.sleep(0.01)
    async with running(second, shim.socket):
        answers = await asyncio.gather(*calls)
    assert {status for status, _ in answers} == {0}
    assert len(first.requests) + len(second.requests) == 20


async def test_a_spooled_del_is_the_del_the_daemon_would_have_got(shim: Shim) -> None:
    live, late = FakeVerbs(b""), FakeVerbs(b"")
    async with running(live, shim.socket):
        assert await run(shim, "DEL", CNI_ARGS="A=1", CNI_NETNS="") == (0, b"")
    assert await run(shim, "DEL", CNI_ARGS="A=1", CNI_NETNS="") == (0, b"")
    assert await Spool(shim.state / "spool", late, SystemClock()).replay() == Replay(done=1)
    assert late.requests == live.requests
    assert shim.spooled() == []


@pytest.mark.parametrize(("verb", "status"), [("ADD", 1), ("DEL", 0)])
async def test_a_call_cut_off_by_the_end_of_the_daemon(shim: Shim, verb: str, status: int) -> None:
    async def endless(_: CniRequest) -> bytes:
        await asyncio.sleep(3600)
        return b""

    verbs = FakeVerbs(endless)
    async with running(verbs, shim.socket, drain=0.05):
        call = asyncio.create_task(run(shim, verb))
        await verbs.begun.wait()
    exit_status, out = await call
    assert (exit_status, len(shim.spooled())) == (status, 1 - status)
    assert (b'"code": 11' in out) == (verb == "ADD")
    assert verbs.cancelled == [(verb, "c0ffee")]
