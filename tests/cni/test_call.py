"""From headers and body to a checked call, with the codes and the order of the reference."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni.call import CniRequest, parse_call, parse_cni_args
from cni.serving.protocol import HEADERS, parse_request
from planes.model.errors import BadInput
from planes.model.wire.cniversion import SUPPORTED, Verb, at_least

CONF = b'{"cniVersion":"1.1.0","name":"net","type":"netplane"}'
FULL = {
    "CNI_CONTAINERID": "c0ffee",
    "CNI_NETNS": "/run/netns/x",
    "CNI_IFNAME": "eth0",
    "CNI_PATH": "/opt/cni/bin",
}


def call(verb: str, stdin: bytes = CONF, **more: str) -> CniRequest:
    return parse_call({"CNI_COMMAND": verb, **FULL, **more}, stdin)


def refusal(verb: str, stdin: bytes = CONF, **more: str) -> BadInput:
    with pytest.raises(BadInput) as caught:
        call(verb, stdin, **more)
    return caught.value


def test_headers_and_body_become_one_value() -> None:
    headers = {
        "host": "netplane",
        "CNI-COMMAND": "ADD",
        "cni-containerid": "c0ffee",
        "Cni-Netns": "/run/netns/x",
        "Cni-Ifname": "eth0",
        "Cni-Args": "IgnoreUnknown=1;K8S_POD_NAME=p;X=a=b",
        "Cni-Path": "/opt/cni/bin::/usr/lib/cni",
    }
    assert parse_request(headers, CONF) == CniRequest(
        verb=Verb.ADD,
        container_id="c0ffee",
        netns="/run/netns/x",
        ifname="eth0",
        cni_args=(("IgnoreUnknown", "1"), ("K8S_POD_NAME", "p"), ("X", "a=b")),
        cni_path=("/opt/cni/bin", "/usr/lib/cni"),
        stdin=CONF,
        conf={"cniVersion": "1.1.0", "name": "net", "type": "netplane"},
    )


@pytest.mark.parametrize(
    ("verb", "missing"),
    [
        ("ADD", "CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH"),
        ("CHECK", "CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH"),
        ("DEL", "CNI_CONTAINERID,CNI_IFNAME,CNI_PATH"),
        ("GC", "CNI_PATH"),
        ("STATUS", "CNI_PATH"),
    ],
)
def test_all_missing_variables_are_named_before_the_config_is_read(verb: str, missing: str) -> None:
    with pytest.raises(BadInput, match=rf"required env variables \[{missing}\] missing") as caught:
        parse_call({"CNI_COMMAND": verb}, b"no json")
    assert caught.value.cni_code == 4


def test_version_needs_nothing() -> None:
    assert parse_call({"CNI_COMMAND": "VERSION"}, b"").verb is Verb.VERSION


def test_del_needs_no_namespace() -> None:
    assert call("DEL", CNI_NETNS="").netns == ""


@pytest.mark.parametrize("command", ["", "add", "UPDATE", "ADD "])
def test_an_unknown_command_is_code_4(command: str) -> None:
    error = refusal(command)
    assert (error.cni_code, "CNI_COMMAND" in error.message) == (4, True)


@pytest.mark.parametrize("stdin", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"1", b"[" * 5000])
def test_a_config_that_is_no_json_object_is_code_6(stdin: bytes) -> None:
    assert refusal("ADD", stdin, CNI_CONTAINERID="a/b").cni_code == 6


@pytest.mark.parametrize(
    ("stdin", "code"),
    [
        (b"{}", 7),
        (b'{"name":""}', 7),
        (b'{"name":"a b"}', 7),
        (b'{"name":"/"}', 7),
        (b'{"name":null}', 7),
        (b'{"name":5}', 6),
        (b'{"name":"x","cniVersion":5}', 6),
    ],
)
def test_a_missing_or_invalid_name_is_refused(stdin: bytes, code: int) -> None:
    assert refusal("ADD", stdin).cni_code == code


@pytest.mark.parametrize("verb", ["ADD", "CHECK", "DEL"])
@pytest.mark.parametrize("container_id", ["a/b", "../x", "-a", "a b", "ä"])
def test_a_container_id_of_other_characters_is_code_4(verb: str, container_id: str) -> None:
    assert refusal(verb, CNI_CONTAINERID=container_id).cni_code == 4


@pytest.mark.parametrize("ifname", ["sixteen-bytes-xx", ".", "..", "a/b", "a:b", "a b", "é" * 8])
def test_an_impossible_interface_name_is_code_4(ifname: str) -> None:
    assert refusal("ADD", CNI_IFNAME=ifname).cni_code == 4


@pytest.mark.parametrize("version", ["9.0.0", "1.2.0", "1.1", "1.0", "v1.0.0", "0.5.0"])
def test_a_version_that_is_not_ours_is_code_1(version: str) -> None:
    assert refusal("ADD", b'{"name":"x","cniVersion":"%s"}' % version.encode()).cni_code == 1


@pytest.mark.parametrize("version", ["", *SUPPORTED])
@pytest.mark.parametrize("verb", [v for v in Verb if v is not Verb.VERSION])
def test_each_version_allows_the_verbs_it_has(verb: Verb, version: str) -> None:
    since = {Verb.CHECK: "0.4.0", Verb.GC: "1.1.0", Verb.STATUS: "1.1.0"}.get(verb, "0.1.0")
    stdin = b'{"name":"x","cniVersion":"%s"}' % version.encode()
    if at_least(version, since):
        assert call(verb, stdin).cni_version == (version or "0.1.0")
    else:
        assert refusal(verb, stdin).cni_code == 1


@pytest.mark.parametrize("text", ["novalue", "=x", "A=1;bad;B=2"])
def test_a_malformed_pair_fails_add_and_is_left_out_by_del(text: str) -> None:
    error = refusal("ADD", CNI_ARGS=text)
    assert (error.cni_code, "invalid pair" in error.message) == (4, True)
    assert refusal("CHECK", CNI_ARGS=text).cni_code == 4
    assert len(call("DEL", CNI_ARGS=text).cni_args) in {0, 2}


def test_cni_args_keep_order_and_duplicates() -> None:
    assert parse_cni_args("A=1;;B=;A=2;") == (("A", "1"), ("B", ""), ("A", "2"))


def test_an_error_never_quotes_the_config() -> None:
    error = refusal("ADD", b'{"name":"x","password":"hunter2",')
    assert "hunter2" not in str(error)


@given(
    st.dictionaries(st.sampled_from([*HEADERS.values(), "X"]), st.text(max_size=20)),
    st.binary(max_size=60) | st.just(CONF),
)
def test_any_headers_and_body_give_a_request_or_one_error(
    headers: dict[str, str], body: bytes
) -> None:
    with contextlib.suppress(BadInput):
        assert parse_request(headers, body).stdin == body
