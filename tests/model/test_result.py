"""Results of every spec version are read, and written byte for byte as the reference prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from planes.model.errors import BadInput
from planes.model.wire.cniversion import SUPPORTED
from planes.model.wire.result import (
    Address,
    Dns,
    Interface,
    Result,
    Route,
    encode_result,
    parse_result,
)

DATA = Path(__file__).parents[1] / "data" / "cni"

FULL = Result(
    interfaces=(
        Interface("br-business", "02:00:00:00:00:01", 1500),
        Interface("vethbusiness1", "02:00:00:00:00:02", 1500),
        Interface(
            "net1",
            "02:00:00:00:00:03",
            1500,
            "/run/netns/app-0",
            socket_path="/run/net1.sock",
            pci_id="0000:3b:02.1",
        ),
    ),
    ips=(
        Address("192.168.100.10/24", "192.168.100.1", 2),
        Address("fd00:100::a/64", "fd00:100::1", 2),
        Address("192.168.101.10/24", interface=0),
    ),
    routes=(
        Route("0.0.0.0/0"),
        Route("10.96.0.0/12", "192.168.100.254", 1400, 1360, 50, table=100, scope=0),
        Route("fd00:200::/48", "fd00:100::fe"),
    ),
    dns=Dns(("192.168.100.53",), "plane.test", ("plane.test", "test"), ("ndots:2",)),
)


def read(obj: Any, version: str = "1.0.0") -> Result:
    return parse_result(json.dumps(obj).encode(), default_version=version)


def refusal(obj: Any, code: int, version: str = "1.0.0") -> str:
    with pytest.raises(BadInput) as error:
        read(obj, version)
    assert error.value.cni_code == code
    return str(error.value)


@pytest.mark.parametrize("version", SUPPORTED)
def test_the_bytes_of_a_full_result_are_the_golden_ones(version: str) -> None:
    assert encode_result(FULL, version) == (DATA / f"result-{version}.json").read_bytes()


@pytest.mark.parametrize("version", SUPPORTED)
def test_golden_bytes_read_and_written_again_are_the_same(version: str) -> None:
    golden = (DATA / f"result-{version}.json").read_bytes()
    assert encode_result(parse_result(golden, default_version=""), version) == golden


def test_the_newest_form_loses_nothing() -> None:
    assert parse_result(encode_result(FULL, "1.1.0"), default_version="") == FULL
    assert parse_result(encode_result(FULL, "1.0.0"), default_version="") == FULL


@pytest.mark.parametrize(
    ("version", "text"),
    [
        ("0.3.1", b'{\n    "cniVersion": "0.3.1",\n    "dns": {}\n}'),
        ("0.4.0", b'{\n    "cniVersion": "0.4.0",\n    "dns": {}\n}'),
        ("1.0.0", b'{\n    "cniVersion": "1.0.0"\n}'),
        ("1.1.0", b'{\n    "cniVersion": "1.1.0"\n}'),
    ],
)
def test_empty_dns_is_written_before_1_0_0_and_left_out_since(version: str, text: bytes) -> None:
    assert encode_result(Result(), version) == text


def test_html_characters_are_escaped_as_go_does() -> None:
    assert b'"\\u003cx\\u003e"' in encode_result(Result(dns=Dns(domain="<x>")), "1.0.0")


def test_index_table_and_scope_zero_are_kept_and_other_zeros_left_out() -> None:
    result = Result(
        ips=(Address("10.0.0.5/24", interface=0),),
        routes=(Route("10.1.0.0/16", table=0, scope=0),),
    )
    assert result.to_version("1.0.0") == {
        "cniVersion": "1.0.0",
        "ips": [{"interface": 0, "address": "10.0.0.5/24"}],
        "routes": [{"dst": "10.1.0.0/16", "table": 0, "scope": 0}],
    }


def test_a_result_without_version_has_the_configurations() -> None:
    two = {"ip4": {"ip": "10.0.0.5/24"}}
    assert read(two, "").ips == read(two, "0.2.0").ips == (Address("10.0.0.5/24"),)
    assert read({**two, "cniVersion": ""}, "1.0.0") == Result()


def test_the_results_own_version_wins() -> None:
    obj = {"cniVersion": "0.2.0", "ip4": {"ip": "10.0.0.5/24"}}
    assert read(obj, "1.0.0").ips == (Address("10.0.0.5/24"),)


def test_null_is_an_empty_result() -> None:
    assert parse_result(b"null", default_version="1.0.0") == Result()


@pytest.mark.parametrize(
    ("written", "spelled"),
    [
        ("10.0.0.5/24", "10.0.0.5/24"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("FD00::5/64", "fd00::5/64"),
        ("fd00:0:0:0:0:0:0:5/64", "fd00::5/64"),
        ("1:0:0:2:0:0:0:3/128", "1:0:0:2::3/128"),
        ("1::2:3:4:5:6:7/64", "1:0:2:3:4:5:6:7/64"),
        ("::/0", "::/0"),
        ("::ffff:10.0.0.5/120", "10.0.0.5/24"),
        ("::ffff:a00:5/96", "10.0.0.5/0"),
        ("::ffff/128", "::ffff/128"),
    ],
)
def test_an_address_is_spelled_one_way_and_keeps_host_bits(written: str, spelled: str) -> None:
    assert read({"ips": [{"address": written}]}).ips == (Address(spelled),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10.0.0.5",
        "10.0.0.5/",
        "10.0.0.5/33",
        "10.0.0.5/-1",
        "10.0.0.5/255.255.255.0",
        "10.0.0.05/24",
        "10.0.0/24",
        "fd00::5/129",
        "fe80::1%eth0/64",
        "::ffff:10.0.0.5/95",
        "1::2::3/64",
        "10.0.0.5/2४",
        "fd00::12345/64",
        "x/24",
    ],
)
def test_what_is_no_address_with_length_is_code_6_with_its_path(text: str) -> None:
    message = refusal({"ips": [{"address": "10.0.0.1/8"}, {"address": text}]}, 6)
    assert message == (
        "cannot read the CNI result: ips[1].address must be an address with prefix length"
    )


@pytest.mark.parametrize("gateway", ["10.0.0", "10.0.0.1/24", "gw", "fe80::1%eth0"])
def test_a_gateway_that_is_no_address_is_code_6(gateway: str) -> None:
    refusal({"ips": [{"address": "10.0.0.5/24", "gateway": gateway}]}, 6)
    refusal({"routes": [{"dst": "0.0.0.0/0", "gw": gateway}]}, 6)


@pytest.mark.parametrize(
    "obj",
    [
        [],
        "x",
        {"ips": {}},
        {"ips": [None]},
        {"ips": [{"address": 5}]},
        {"ips": [{"address": "10.0.0.5/24", "interface": "0"}]},
        {"interfaces": [{"name": 5}]},
        {"interfaces": [{"name": "a", "mtu": "1500"}]},
        {"routes": [{}]},
        {"routes": [{"dst": "10.0.0.0/8", "mtu": 1.5}]},
        {"dns": []},
        {"dns": {"search": "x"}},
        {"cniVersion": 1},
    ],
)
def test_a_member_of_another_type_is_code_6(obj: Any) -> None:
    refusal(obj, 6)


def test_no_output_is_code_6() -> None:
    with pytest.raises(BadInput) as error:
        parse_result(b"", default_version="1.0.0")
    assert error.value.cni_code == 6


@pytest.mark.parametrize("version", ["2.0.0", "1.0", "latest"])
def test_a_version_that_is_not_ours_is_code_1(version: str) -> None:
    refusal({"cniVersion": version}, 1)
    with pytest.raises(BadInput) as error:
        FULL.to_version(version)
    assert error.value.cni_code == 1


def test_members_match_in_any_case_and_unknown_ones_are_ignored() -> None:
    obj = {"Interfaces": [{"Name": "a", "MAC": "m", "x": 1}], "IPs": [{"ADDRESS": "10.0.0.5/24"}]}
    assert read(obj) == Result((Interface("a", "m"),), (Address("10.0.0.5/24"),))


def test_values_tell_family_bare_address_and_default_route() -> None:
    assert [(a.ip, a.family) for a in FULL.ips[:2]] == [("192.168.100.10", 4), ("fd00:100::a", 6)]
    assert [(r.is_default, r.family) for r in FULL.routes] == [(True, 4), (False, 4), (False, 6)]
    assert Route("::/0").is_default
