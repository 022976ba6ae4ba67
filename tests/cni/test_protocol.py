"""The bytes between shim and daemon: answers, errors, spooled requests."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni.serving.protocol import Answer, refusal, split_request, versions
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
