"""The shim's requests on the daemon's socket, and what is passed on to the HTTP server."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cni.call import CniRequest
from cni.serving.protocol import Answer
from cni.serving.shim_port import ShimPort
from tests.support.cni.serving import running
from tests.support.cni.verbs import FakeVerbs

CONF = b'{"cniVersion":"0.4.0","name":"net","type":"netplane"}'
_HEAD = (
    b"POST /v1/cni HTTP/1.1\r\nHost: netplane\r\nConnection: close\r\nCni-Command: ADD\r\n"
    b"Cni-Containerid: c0ffee\r\nCni-Netns: /run/netns/x\r\nCni-Ifname: eth0\r\n"
    b"Cni-Path: /opt/cni/bin\r\n"
)


def request(body: bytes = CONF) -> bytes:
    return _HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body


async def ask(path: Path, *pieces: bytes) -> bytes:
    """Send pieces with a turn of the event loop between them; return all that is answered."""
    reader, writer = await asyncio.open_unix_connection(path)
    for piece in pieces:
        writer.write(piece)
        await asyncio.sleep(0)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return answer


class RecordedCalls:
    """Calls that are recorded; all peers are accepted."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.bodies: list[bytes] = []

    def may_call(self, _: socket.socket) -> bool:
        return True

    def is_stopping(self) -> bool:
        return False

    async def call(self, _: Mapping[str, str], stdin: bytes) -> Answer:
        self.bodies.append(stdin)
        return self.answer


class Refusing(asyncio.Protocol):
    """Answers whatever comes with one word."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(b"passed on: %d" % len(data))
        self.transport.close()


@contextlib.asynccontextmanager
async def port(calls: RecordedCalls) -> AsyncIterator[Path]:
    with tempfile.TemporaryDirectory(prefix="np-") as made, socket.socket(socket.AF_UNIX) as bound:
        path = Path(made) / "s"
        bound.bind(str(path))
        bound.listen()
        bound.setblocking(False)
        opened = ShimPort(bound, calls, Refusing)
        opened.open()
        try:
            yield path
        finally:
            await opened.close()


async def test_a_request_is_answered_as_the_shim_reads_it() -> None:
    calls = RecordedCalls(Answer(b"{}", 7))
    async with port(calls) as path:
        answer = await ask(path, request())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"HTTP/1.1 200 OK",
        b"Cni-Exit: 1",
        b"Content-Type: application/json",
        b"Content-Length: 2",
        b"Connection: close",
    ]
    assert (body, calls.bodies) == (b"{}", [CONF])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, len(request())), max_size=6).map(sorted))
def test_a_request_in_any_pieces_is_one_call(cuts: list[int]) -> None:
    async def scenario() -> None:
        calls, data = RecordedCalls(Answer(b"ok")), request()
        pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        async with port(calls) as path:
            assert (await ask(path, *pieces)).endswith(b"\r\n\r\nok")
        assert calls.bodies == [CONF]

    asyncio.run(scenario())


@settings(max_examples=60, deadline=None)
@given(
    st.binary(min_size=1, max_size=80)
    | st.tuples(st.integers(1, len(_HEAD)), st.binary(min_size=1, max_size=40)).map(
        lambda pair: _HEAD[: pair[0]] + b"\0" + pair[1] + b"\r\n\r\n"
    )
)
def test_hostile_bytes_are_no_call_and_arrive_whole_at_the_server(data: bytes) -> None:
    async def scenario() -> None:
        calls = RecordedCalls(Answer(b"ok"))
        async with port(calls) as path:
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(data)
            writer.write_eof()
            assert await asyncio.wait_for(reader.read(), 5) == b"passed on: %d" % len(data)
            writer.close()
            assert (await ask(path, request())).endswith(b"ok")
        assert calls.bodies == [CONF]

    asyncio.run(scenario())


async def test_more_than_one_request_is_passed_on() -> None:
    calls = RecordedCalls(Answer(b"ok"))
    async with port(calls) as path:
        assert await ask(path, request() * 2) == b"passed on: %d" % (2 * len(request()))
    assert calls.bodies == []


async def test_a_body_of_8_mib_is_read_whole(tmp_path: Path) -> None:
    verbs = FakeVerbs(b"ok")
    config = CONF[:-1] + b',"x":"' + b"x" * ((8 << 20) - len(CONF) - 7) + b'"}'
    async with running(verbs, tmp_path / "s"):
        assert (await ask(tmp_path / "s", request(config))).endswith(b"\r\n\r\nok")
        too_large = await ask(tmp_path / "s", request(config + b" "))
    assert b'"code": 6' in too_large
    assert [one.stdin for one in verbs.requests] == [config]


async def test_an_answer_larger_than_the_buffer_of_a_socket_arrives_whole() -> None:
    stdout = b"x" * (4 << 20)
    async with port(RecordedCalls(Answer(stdout))) as path:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(request())
        await asyncio.sleep(0.05)
        assert (await reader.read()).endswith(b"\r\n\r\n" + stdout)
        writer.close()


async def test_a_bad_call_is_an_error_of_cni(tmp_path: Path) -> None:
    verbs = FakeVerbs()
    async with running(verbs, tmp_path / "s"):
        answer = await ask(tmp_path / "s", request(b"{"))
    assert b"Cni-Exit: 1" in answer
    assert b'"code": 6' in answer
    assert verbs.requests == []


async def test_a_client_that_goes_away_does_not_cancel_its_call(tmp_path: Path) -> None:
    async def slow(_: CniRequest) -> bytes:
        await asyncio.sleep(0.1)
        return b"slow"

    verbs = FakeVerbs(slow)
    async with running(verbs, tmp_path / "s"):
        _, writer = await asyncio.open_unix_connection(tmp_path / "s")
        writer.write(request())
        await verbs.begun.wait()
        writer.transport.abort()
        async with asyncio.timeout(10):
            while not verbs.ended:
                await asyncio.sleep(0.01)
        assert (verbs.ended, verbs.cancelled) == ([("ADD", "c0ffee")], [])


async def test_a_stopping_daemon_ends_its_calls_and_answers_503_to_others(tmp_path: Path) -> None:
    release = asyncio.Event()

    async def held(_: CniRequest) -> bytes:
        await release.wait()
        return b"held"

    path, verbs = tmp_path / "s", FakeVerbs(held)
    async with running(verbs, path) as task:
        begun = asyncio.create_task(ask(path, request()))
        await verbs.begun.wait()
        reader, half = await asyncio.open_unix_connection(path)
        half.write(request()[:-5])
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.sleep(0.1)
        half.write(request()[-5:])
        assert (await reader.readline()).startswith(b"HTTP/1.1 503 ")
        half.close()
        release.set()
        assert (await begun).endswith(b"\r\n\r\nheld")
    assert len(verbs.requests) == 1


async def test_a_call_that_outlasts_the_drain_is_undone_and_not_answered(tmp_path: Path) -> None:
    async def endless(_: CniRequest) -> bytes:
        await asyncio.sleep(3600)
        return b""

    path, verbs = tmp_path / "s", FakeVerbs(endless)
    async with running(verbs, path, drain=0.05) as task:
        begun = asyncio.create_task(ask(path, request()))
        await verbs.begun.wait()
        task.cancel()
        await asyncio.wait({task})
        assert await begun == b""
    assert verbs.cancelled == [("ADD", "c0ffee")]


class ScriptedSocket(socket.socket):
    """A listening socket whose first accepts fail."""

    def __init__(self, *errors: int) -> None:
        super().__init__(socket.AF_UNIX)
        self.errors = list(errors)

    def accept(self) -> tuple[socket.socket, object]:
        if self.errors:
            number = self.errors.pop(0)
            raise OSError(number, "scripted")
        return super().accept()


@pytest.mark.parametrize(("number", "lines"), [(errno.EMFILE, 1), (errno.ECONNABORTED, 0)])
async def test_it_goes_on_accepting_after_a_failed_accept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, number: int, lines: int
) -> None:
    with ScriptedSocket(number) as bound:
        bound.bind(str(tmp_path / "s"))
        bound.listen()
        bound.setblocking(False)
        opened = ShimPort(bound, RecordedCalls(Answer(b"ok")), Refusing)
        opened.open()
        assert (await ask(tmp_path / "s", request())).endswith(b"ok")
        await opened.close()
    assert caplog.messages.count("cannot accept connections for now") == lines
