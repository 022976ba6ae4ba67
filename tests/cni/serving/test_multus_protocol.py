"""Multus' requests and answers, on the real server."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni.serving.multus_protocol import InterfaceAttributes, parse_multus
from planes.model.errors import BadInput, Denied
from tests.support.cni.serving import client, running
from tests.support.cni.verbs import FakeVerbs

CONF = b'{"cniVersion":"0.3.1","name":"multus-cni-network","type":"multus-shim"}'
RESULT = (
    b'{"cniVersion":"0.3.1","interfaces":[{"name":"eth0","sandbox":"/run/netns/x"}],'
    b'"ips":[{"version":"4","interface":0,"address":"10.0.0.5/24"}],"dns":{}}'
)


def request(verb: str, config: bytes = CONF, **more: Any) -> bytes:
    env = {
        "CNI_COMMAND": verb,
        "CNI_CONTAINERID": "c0ffee",
        "CNI_NETNS": "/run/netns/x",
        "CNI_IFNAME": "eth0",
        "CNI_PATH": "/opt/cni/bin",
        "CNI_ARGS": "K8S_POD_NAMESPACE=default;K8S_POD_NAME=p",
        "HOME": "/root",
        "SECRET": "not looked at",
    }
    return json.dumps({"env": env, "config": base64.b64encode(config).decode(), **more}).encode()


async def test_an_add_answers_its_result_in_the_1_0_0_form(tmp_path: Path) -> None:
    verbs = FakeVerbs(RESULT)
    async with running(verbs, tmp_path / "s"), client(tmp_path / "s") as http:
        answer = await http.post("/cni", data=request("ADD"))
        assert answer.status == 200
        assert await answer.json() == {
            "Result": {
                "cniVersion": "1.0.0",
                "interfaces": [{"name": "eth0", "sandbox": "/run/netns/x"}],
                "ips": [{"interface": 0, "address": "10.0.0.5/24"}],
            }
        }
    assert verbs.requests[0].stdin == CONF
    assert dict(verbs.requests[0].cni_args)["K8S_POD_NAME"] == "p"


@pytest.mark.parametrize("verb", ["DEL", "CHECK"])
async def test_other_verbs_answer_an_empty_body(tmp_path: Path, verb: str) -> None:
    config = CONF.replace(b"0.3.1", b"1.0.0")
    async with running(FakeVerbs(b""), tmp_path / "s"), client(tmp_path / "s") as http:
        answer = await http.post("/cni", data=request(verb, config))
        assert (answer.status, await answer.read()) == (200, b"")


async def test_an_error_is_400_with_a_cni_error(tmp_path: Path) -> None:
    verbs = FakeVerbs(Denied("cannot attach", remedy="ask"))
    async with running(verbs, tmp_path / "s"), client(tmp_path / "s") as http:
        answer = await http.post("/cni", data=request("ADD"))
        error = await answer.json(content_type=None)
    assert (answer.status, error["code"], error["msg"]) == (400, 110, "cannot attach")


async def test_a_result_that_is_none_is_an_error_not_a_crash(tmp_path: Path) -> None:
    async with running(FakeVerbs(b"nonsense"), tmp_path / "s"), client(tmp_path / "s") as http:
        answer = await http.post("/cni", data=request("ADD"))
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (400, 6)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", 6),
        (b"null", 6),
        (b"{}", 4),
        (b'{"env":5}', 6),
        (b'{"env":{"CNI_COMMAND":5}}', 6),
        (b'{"env":{"CNI_COMMAND":"ADD"}}', 4),
        (b'{"env":{"CNI_COMMAND":"DEL"},"config":"%%%"}', 6),
        (request("ADD", b"{"), 6),
        (request("ADD", b"{}"), 7),
        (request("UPDATE"), 4),
    ],
)
async def test_a_bad_request_is_400_with_its_code(tmp_path: Path, body: bytes, code: int) -> None:
    async with running(FakeVerbs(), tmp_path / "s"), client(tmp_path / "s") as http:
        answer = await http.post("/cni", data=body)
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (400, code)


async def test_delegate_runs_the_given_config_with_its_attributes(tmp_path: Path) -> None:
    verbs = FakeVerbs(RESULT)
    asked = {"ips": ["10.0.0.5/24"], "mac": "02:00:00:00:00:01", "cni-args": {"a": 1}}
    async with running(verbs, tmp_path / "s", delegates=verbs), client(tmp_path / "s") as http:
        answer = await http.post("/delegate", data=request("ADD", interfaceAttributes=asked))
        assert (await answer.json())["Result"]["cniVersion"] == "1.0.0"
        await http.post("/delegate", data=request("DEL"))
    assert verbs.attributes == [
        InterfaceAttributes(("10.0.0.5/24",), "02:00:00:00:00:01", {"a": 1}),
        InterfaceAttributes(),
    ]


@given(st.binary(max_size=80) | st.text(max_size=40).map(str.encode))
def test_any_body_is_a_request_or_one_error(body: bytes) -> None:
    with pytest.raises(BadInput):
        parse_multus(body)
