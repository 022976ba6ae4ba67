"""The bytes between shim and daemon: answers, errors, spooled requests."""

from __future__ import annotations

import contextlib
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni.call import parse_call
from cni.serving.protocol import (
    Answer,
    join_request,
    parse_request,
    refusal,
    split_request,
    versions,
)
from planes.model.errors import BadInput, Unavailable

HEAD = b"POST /v1/cni HTTP/1.1\r\n"


def test_an_error_is_laid_out_as_the_reference_plugins_do() -> None:
    error = Unavailable('cannot "x": <y>', remedy="wait")
    assert refusal(error, "0.4.0").stdout.decode() == (
        '{\n    "cniVersion": "0.4.0",\n    "code": 11,\n    "msg": "cannot \\"x\\": '
        '\\u003cy\\u003e",\n    "details": "wait"\n}'
    )


def test_an_error_about_a_path_that_is_no_utf_8_is_json_all_the_same() -> None:
    error = BadInput("cannot open /run/\udcff", remedy="not \udc80")
    answer = json.loads(refusal(error).stdout)
    assert (answer["msg"], answer["details"]) == ("cannot open /run/?", "not ?")


def test_an_error_before_the_config_was_read_carries_our_version() -> None:
    assert b'"cniVersion": "1.1.0"' in refusal(BadInput("cannot")).stdout


def test_only_an_answer_without_code_exits_0() -> None:
    assert [Answer(b"").exit_status, refusal(BadInput("cannot")).exit_status] == [0, 1]


def test_version_is_what_the_shim_prints() -> None:
    assert versions().stdout == (
        b'{"cniVersion":"1.1.0","supportedVersions":'
        b'["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]}\n'
    )


def test_a_spooled_request_splits_into_headers_and_body() -> None:
    data = HEAD + b"Cni-Command: DEL\r\nCni-Netns: \r\nContent-Length: 6\r\n\r\na\r\n\r\nb"
    headers, body = split_request(data)
    assert dict(headers) == {"cni-command": "DEL", "cni-netns": "", "content-length": "6"}
    assert body == b"a\r\n\r\nb"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        HEAD,
        HEAD + b"Content-Length: 3\r\n\r\nab",
        HEAD + b"Content-Length: 1\r\n\r\nab",
        HEAD + b"\r\n",
        HEAD + b"nocolon\r\nContent-Length: 0\r\n\r\n",
        b"GET /v1/cni HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_a_cut_or_foreign_request_is_code_6(data: bytes) -> None:
    with pytest.raises(BadInput) as caught:
        split_request(data)
    assert caught.value.cni_code == 6


@given(st.binary() | st.binary().map(lambda data: HEAD + data))
def test_any_bytes_split_or_are_refused(data: bytes) -> None:
    with contextlib.suppress(BadInput):
        split_request(data)


# What an environment can carry at all, and the space around a value that a header loses.
TEXT = st.binary(max_size=40).filter(lambda b: b"\0" not in b and b.strip() == b).map(os.fsdecode)


@given(
    netns=TEXT, args=TEXT, path=TEXT.filter(lambda text: text.strip(":") != ""), body=st.binary()
)
def test_a_del_we_spool_is_read_as_it_came_or_refused(
    netns: str, args: str, path: str, body: bytes
) -> None:
    variables = {
        "CNI_COMMAND": "DEL",
        "CNI_CONTAINERID": "c1",
        "CNI_NETNS": netns,
        "CNI_IFNAME": "eth0",
        "CNI_ARGS": args,
        "CNI_PATH": path,
    }
    stdin = b'{"cniVersion": "1.0.0", "name": "n", "more": "' + body.hex().encode() + b'"}'
    request = parse_call(variables, stdin)
    try:
        spooled = join_request(request)
    except BadInput:
        assert set("\r\n") & set(netns + args + path)
    else:
        assert parse_request(*split_request(spooled)) == request


def test_a_variable_with_a_line_break_cannot_be_spooled() -> None:
    variables = {"CNI_COMMAND": "DEL", "CNI_CONTAINERID": "c1", "CNI_IFNAME": "eth0"}
    more = {"CNI_PATH": "/bin", "CNI_NETNS": "/run/netns/a\r\nContent-Length: 0"}
    request = parse_call({**variables, **more}, b'{"cniVersion": "1.0.0", "name": "n"}')
    with pytest.raises(BadInput, match="line break"):
        join_request(request)
