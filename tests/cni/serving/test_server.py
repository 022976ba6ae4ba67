"""The daemon's server on a real socket: paths, answers, errors, limits, deadlines, the drain."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import tempfile
from pathlib import Path

import aiohttp
import pytest

from cni.call import CniRequest
from planes.model.errors import CniCode, Denied, Unavailable
from planes.model.wire.cniversion import Verb
from tests.support.cni.serving import call_headers, client, running
from tests.support.cni.verbs import FakeVerbs

CONF = b'{"cniVersion":"0.4.0","name":"net","type":"netplane"}'
CALL = "/v1/cni"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


async def slow(_: CniRequest) -> bytes:
    await asyncio.sleep(0.3)
    return b"slow"


async def endless(_: CniRequest) -> bytes:
    await asyncio.sleep(3600)
    return b""


async def test_stdout_is_the_body_and_the_exit_status_a_header(path: Path) -> None:
    verbs = FakeVerbs(b'{"cniVersion": "0.4.0"}\xff')
    async with running(verbs, path), client(path) as http:
        answer = await http.post(CALL, data=CONF, headers=call_headers("ADD", args="A=1"))
        assert (answer.status, answer.headers["Cni-Exit"]) == (200, "0")
        assert await answer.read() == b'{"cniVersion": "0.4.0"}\xff'
    [request] = verbs.requests
    assert (request.verb, request.cni_args, request.stdin) == (Verb.ADD, (("A", "1"),), CONF)
    assert request.cni_path == ("/opt/cni/bin", "/usr/lib/cni")


async def test_an_error_of_ours_is_a_cni_error_in_the_version_of_the_config(path: Path) -> None:
    verbs = FakeVerbs(Denied("cannot attach", remedy="ask for it"))
    async with running(verbs, path), client(path) as http:
        answer = await http.post(CALL, data=CONF, headers=call_headers("ADD"))
        assert (answer.status, answer.headers["Cni-Exit"]) == (200, "1")
        assert await answer.json() == {
            "cniVersion": "0.4.0",
            "code": CniCode.DENIED,
            "msg": "cannot attach",
            "details": "ask for it",
        }


async def test_any_other_exception_is_code_999_and_tells_nothing(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    verbs = FakeVerbs(KeyError("hunter2"))
    async with running(verbs, path), client(path) as http:
        answer = await http.post(CALL, data=CONF, headers=call_headers("ADD"))
        text = await answer.text()
    assert '"code": 999' in text
    assert "hunter2" not in text
    assert "Traceback" not in text
    assert "cannot carry out the call" in caplog.messages


async def test_a_timeout_of_someone_else_is_not_taken_for_the_deadline(path: Path) -> None:
    async with running(FakeVerbs(TimeoutError("a socket's")), path), client(path) as http:
        answer = await http.post(CALL, data=CONF, headers=call_headers("ADD"))
        assert (await answer.json())["code"] == 999


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (b"no json", call_headers("ADD"), 6),
        (b"{}", call_headers("ADD"), 7),
        (CONF, call_headers("ADD", containerid="a/b"), 4),
        (CONF, call_headers("ADD", netns=""), 4),
        (CONF, call_headers("GC"), 1),
        (CONF, {}, 4),
    ],
)
async def test_a_bad_request_never_reaches_the_verbs(
    path: Path, body: bytes, headers: dict[str, str], code: int
) -> None:
    verbs = FakeVerbs()
    async with running(verbs, path), client(path) as http:
        answer = await http.post(CALL, data=body, headers=headers)
        assert answer.headers["Cni-Exit"] == "1"
        assert (await answer.json())["code"] == code
    assert verbs.requests == []


async def test_version_is_answered_without_the_verbs(path: Path) -> None:
    verbs = FakeVerbs()
    async with running(verbs, path), client(path) as http:
        answer = await http.post(CALL, headers=call_headers("VERSION"))
        assert (await answer.json())["supportedVersions"][-1] == "1.1.0"
    assert verbs.requests == []


async def test_a_body_of_8_mib_is_read_and_one_byte_more_is_code_6(path: Path) -> None:
    verbs = FakeVerbs()
    config = CONF[:-1] + b',"x":"' + b"x" * ((8 << 20) - len(CONF) - 7) + b'"}'
    async with running(verbs, path), client(path) as http:
        answer = await http.post(CALL, data=io.BytesIO(config), headers=call_headers("ADD"))
        assert (len(config), answer.headers["Cni-Exit"]) == (8 << 20, "0")
        more = io.BytesIO(config + b" ")
        answer = await http.post(CALL, data=more, headers=call_headers("ADD"))
        assert (answer.headers["Cni-Exit"], (await answer.json())["code"]) == ("1", 6)
    assert len(verbs.requests) == 1


async def test_all_the_headers_the_shim_may_send_are_read(path: Path) -> None:
    verbs = FakeVerbs()
    async with running(verbs, path), client(path) as http:
        args = "A=" + "x" * 64_000
        await http.post(CALL, data=CONF, headers=call_headers("ADD", args=args))
    assert len(verbs.requests[0].cni_args[0][1]) == 64_000


async def test_the_deadline_cancels_a_call_and_says_so_after_its_undo(path: Path) -> None:
    verbs = FakeVerbs(endless)
    async with running(verbs, path, deadline=0.05), client(path) as http:
        answer = await http.post(CALL, data=CONF, headers=call_headers("ADD"))
        error = await answer.json()
    assert (error["code"], error["msg"][:22]) == (11, "cannot finish ADD with")
    assert verbs.cancelled == [("ADD", "c0ffee")]


async def test_a_caller_that_goes_away_does_not_cancel_its_call(path: Path) -> None:
    verbs = FakeVerbs(slow)
    async with running(verbs, path), client(path) as http:
        call = asyncio.create_task(http.post(CALL, data=CONF, headers=call_headers("ADD")))
        await verbs.begun.wait()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        async with asyncio.timeout(10):
            while not verbs.ended:
                await asyncio.sleep(0.01)
        assert (verbs.ended, verbs.cancelled) == ([("ADD", "c0ffee")], [])


async def test_calls_run_side_by_side(path: Path) -> None:
    both = asyncio.Barrier(2)

    async def meet(_: CniRequest) -> bytes:
        await both.wait()
        return b"met"

    async with running(FakeVerbs(meet), path), client(path) as http:
        posts = [http.post(CALL, data=CONF, headers=call_headers("ADD")) for _ in range(2)]
        answers = await asyncio.gather(*posts)
        assert [await answer.read() for answer in answers] == [b"met", b"met"]


async def test_stopping_lets_calls_in_flight_end_and_takes_no_more(path: Path) -> None:
    release = asyncio.Event()

    async def held(_: CniRequest) -> bytes:
        await release.wait()
        return b"held"

    verbs = FakeVerbs(held)
    async with running(verbs, path) as task, client(path) as http, client(path) as early:
        await early.get("/healthz")
        call = asyncio.create_task(http.post(CALL, data=CONF, headers=call_headers("ADD")))
        await verbs.begun.wait()
        task.cancel()
        await asyncio.sleep(0.1)
        assert not path.exists()
        refused = await early.post(CALL, data=CONF, headers=call_headers("ADD"))
        assert refused.status == 503
        assert (await early.get("/readyz")).status == 503
        release.set()
        assert await (await call).read() == b"held"
    assert len(verbs.requests) == 1


async def test_calls_that_outlast_the_drain_are_cancelled_and_undone(path: Path) -> None:
    verbs = FakeVerbs(endless)
    async with running(verbs, path, drain=0.05) as task, client(path) as http:
        call = asyncio.create_task(http.post(CALL, data=CONF, headers=call_headers("ADD")))
        await verbs.begun.wait()
        task.cancel()
        with pytest.raises(aiohttp.ClientError):
            await call
        await asyncio.wait({task})
        assert verbs.cancelled == [("ADD", "c0ffee")]


async def test_a_second_cancellation_ends_the_drain_at_once(path: Path) -> None:
    verbs = FakeVerbs(endless)
    async with running(verbs, path, drain=3600.0) as task, client(path) as http:
        call = asyncio.create_task(http.post(CALL, data=CONF, headers=call_headers("ADD")))
        await verbs.begun.wait()
        task.cancel()
        await asyncio.sleep(0.2)
        task.cancel()
        await asyncio.wait({task}, timeout=5)
        assert task.done()
        assert verbs.cancelled == [("ADD", "c0ffee")]
        with pytest.raises(aiohttp.ClientError):
            await call


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_health_and_readiness_speak_plainly(path: Path, method: str) -> None:
    reason = ""
    async with running(FakeVerbs(), path, readiness=lambda: reason), client(path) as http:
        for url in ("/healthz", "/readyz"):
            answer = await http.request(method, url, data=b"null" if method == "POST" else None)
            assert (answer.status, await answer.text()) == (200, "ok\n")
        reason = "the store was not read yet"
        answer = await http.request(method, "/readyz")
        assert (answer.status, await answer.text()) == (503, f"{reason}\n")


async def test_metrics_are_what_it_was_given(path: Path) -> None:
    async with running(FakeVerbs(), path, metrics=lambda: b"up 1\n"), client(path) as http:
        answer = await http.get("/metrics")
        assert await answer.read() == b"up 1\n"
        assert answer.headers["Content-Type"].startswith("text/plain; version=")


async def test_every_call_is_observed_with_its_code(path: Path) -> None:
    seen: list[tuple[str, int]] = []
    verbs = FakeVerbs()
    options = {"observe": lambda verb, code, seconds: seen.append((verb, code))}
    async with running(verbs, path, **options), client(path) as http:
        await http.post(CALL, data=CONF, headers=call_headers("ADD"))
        verbs.behaviour = Unavailable("cannot now")
        await http.post(CALL, data=CONF, headers=call_headers("DEL"))
    assert seen == [("ADD", 0), ("DEL", 11)]


async def test_a_failed_call_is_one_line_in_the_log(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(FakeVerbs(Denied("cannot attach")), path), client(path) as http:
        await http.post(CALL, data=CONF, headers=call_headers("ADD"))
        await http.post(CALL, data=b"{", headers=call_headers("ADD"))
    lines = [(r.getMessage(), vars(r)["code"]) for r in caplog.records if r.levelname == "WARNING"]
    assert lines == [("call failed", 110), ("request refused", 6)]


async def test_the_log_of_a_call_names_it_and_holds_no_config(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with running(FakeVerbs(), path), client(path) as http:
        config = CONF[:-1] + b',"password":"hunter2"}'
        await http.post(CALL, data=config, headers=call_headers("ADD"))
    assert "call" in caplog.messages
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("url", ["/", "/v2/cni", "/delegate"])
async def test_there_are_no_other_paths(path: Path, url: str) -> None:
    async with running(FakeVerbs(), path), client(path) as http:
        assert (await http.post(url, data=b"{}")).status == 404


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
async def test_a_caller_other_than_root_is_refused() -> None:
    """Even where somebody opened up the modes of socket and directory."""
    verbs = FakeVerbs()
    with tempfile.TemporaryDirectory(prefix="np-") as made:
        path = Path(made) / "s"
        async with running(verbs, path):
            path.parent.chmod(0o711)
            path.chmod(0o666)
            out = await ask_as_nobody(path)
    assert out.startswith(b"HTTP/1.1 403 Forbidden")
    assert out.endswith(b"only root may call the netplane daemon\n")
    assert verbs.requests == []


async def ask_as_nobody(path: Path) -> bytes:
    code = (
        "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        "s.sendall(b'POST /v1/cni HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 0\\r\\n"
        "Connection: close\\r\\n\\r\\n');"
        "sys.stdout.write(s.makefile().read())"
    )
    process = await asyncio.create_subprocess_exec(
        "python3", "-c", code, str(path), user=65534, stdout=asyncio.subprocess.PIPE
    )
    return (await process.communicate())[0]
