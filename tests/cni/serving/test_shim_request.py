"""The head of the shim's request: what is read from it, and what is left to an HTTP server."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser
from hypothesis import given
from hypothesis import strategies as st

from cni.serving.protocol import BODY_LIMIT, HEAD_LIMIT, HEADERS
from cni.serving.shim_request import ForeignHead, ShimHead, read_head

START = b"POST /v1/cni HTTP/1.1\r\n"
LINES = [
    b"Host: netplane",
    b"Connection: close",
    b"Cni-Command: ADD",
    b"Cni-Containerid: c0ffee",
    b"Cni-Path: /opt/\xff/bin",
    b"Content-Length: 2",
]
HEAD = START + b"\r\n".join(LINES) + b"\r\n\r\n"


def head_of(*lines: bytes) -> bytes:
    return START + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def test_variables_and_the_place_of_the_body_are_read() -> None:
    assert read_head(HEAD + b"{}") == ShimHead(
        {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "c0ffee", "CNI_PATH": "/opt/\udcff/bin"},
        len(HEAD),
        len(HEAD) + 2,
    )


def test_a_head_of_which_more_is_to_come_is_not_refused() -> None:
    assert [read_head(HEAD[:size]) for size in range(len(HEAD))] == [None] * len(HEAD)


@pytest.mark.parametrize(
    "head",
    [
        b"\x16\x03\x01",
        b"GET /v1/cni HTTP/1.1\r\n",
        b"POST /cni HTTP/1.1\r\n",
        b"POST /v1/cni HTTP/1.0\r\n",
        START + b"\r\n",
        head_of(*LINES, b"Transfer-Encoding: chunked"),
        head_of(*LINES, b"Expect: 100-continue"),
        head_of(*LINES, b"Content-Encoding: gzip"),
        head_of(*LINES, b"Content-Length: 2"),
        head_of(*LINES, b"Cni-Command: DEL"),
        head_of(*LINES, b" folded"),
        head_of(*LINES, b"Cni-Ifname: a\0b"),
        head_of(*LINES, b"Cni-Ifname: a\nb"),
        head_of(*LINES, b"Cni-Ifname : a"),
        head_of(*LINES[:-1]),
        head_of(*LINES[:-1], b"Content-Length: -1"),
        head_of(*LINES[:-1], b"Content-Length: +1"),
        head_of(*LINES[:-1], b"Content-Length: 1, 1"),
        head_of(*LINES[:-1], b"Content-Length: " + b"9" * 5000),
        head_of(*LINES[:-1], b"Content-Length: " + str(BODY_LIMIT + 1).encode()),
        head_of(b"Connection: keep-alive", b"Content-Length: 0"),
        head_of(b"Content-Length: 0"),
        head_of(*LINES, b"Cni-Args: " + b"x" * HEAD_LIMIT),
        START + b"Cni-Args: " + b"x" * HEAD_LIMIT,
    ],
)
def test_any_other_head_is_left_to_an_http_server(head: bytes) -> None:
    with pytest.raises(ForeignHead):
        read_head(head)


def test_a_body_may_be_as_long_as_the_shims() -> None:
    head = head_of(*LINES[:-1], b"Content-Length: " + str(BODY_LIMIT).encode())
    found = read_head(head)
    assert found is not None
    assert (found.body_at, found.end) == (len(head), len(head) + BODY_LIMIT)


NAMES = st.sampled_from(
    [*(name.encode() for name in HEADERS.values()), b"Host", b"Connection", b"Content-Length"]
)
VALUES = (
    st.sampled_from([b"close", b"0", b"2", b"07", b"\xff", b"", b" 2", b"2 ", b"2\t", b"a\tb"])
    | st.binary(max_size=8)
    | st.text(max_size=8).map(str.encode)
)
LINE = st.tuples(NAMES, st.sampled_from([b": ", b":", b" : "]), VALUES).map(b"".join)
NEAR = st.permutations(LINES).flatmap(
    lambda lines: st.lists(LINE, max_size=2).map(lambda more: head_of(*lines, *more))
)


def read_by_aiohttp(data: bytes) -> tuple[dict[str, str], str | None, bool]:
    """Return the headers that aiohttp reads, the length of the body, and whether it is the last."""
    loop = asyncio.new_event_loop()
    try:
        parser = HttpRequestParser(
            BaseProtocol(loop),
            loop,
            2**16,
            max_line_size=HEAD_LIMIT,
            max_field_size=HEAD_LIMIT,
        )
        [(message, _)], _, _ = parser.feed_data(data)
    finally:
        loop.close()
    assert (message.method, message.path) == ("POST", "/v1/cni")
    assert (message.chunked, message.compression, message.upgrade) == (False, None, False)
    assert len(message.headers) == len(set(message.headers))
    headers = dict(message.headers)
    return headers, headers.pop("Content-Length", None), message.should_close


@given(NEAR)
def test_what_is_read_here_an_http_server_reads_alike(data: bytes) -> None:
    """Else one peer could mean two requests, depending on who reads it."""
    try:
        head = read_head(data)
    except ForeignHead:
        return
    assert head is not None
    headers, length, should_close = read_by_aiohttp(data)
    assert should_close
    assert length is not None
    assert int(length) == head.end - head.body_at
    assert head.body_at == len(data)
    by_header = {HEADERS[variable]: value for variable, value in head.variables.items()}
    assert {n: v for n, v in headers.items() if n not in {"Host", "Connection"}} == by_header


@given(st.binary(max_size=60) | st.binary(max_size=40).map(lambda b: HEAD[:60] + b))
def test_any_bytes_are_read_or_left(data: bytes) -> None:
    try:
        head = read_head(data)
    except ForeignHead:
        return
    assert head is None or head.body_at <= len(data)


@given(NEAR, st.binary(max_size=8))
def test_bytes_behind_the_head_change_nothing_of_it(data: bytes, more: bytes) -> None:
    def outcome(received: bytes) -> object:
        try:
            return read_head(received)
        except (ForeignHead, HttpProcessingError):
            return None

    assert outcome(data) == outcome(data + more)
