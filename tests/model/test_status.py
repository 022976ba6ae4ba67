"""network-status has Multus' bytes and says of a result what Multus says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from planes.model.errors import BadInput
from planes.model.wire.result import Address, Dns, Interface, Result, Route, parse_result
from planes.model.wire.status import NetworkStatus, encode_status, parse_status, statuses_of

DATA = Path(__file__).parents[1] / "data" / "multus"
SHARED = Path(__file__).parents[3] / "shared" / "examples" / "multus-node"

GOLDEN = (
    NetworkStatus(
        name="cluster-net",
        interface="eth0",
        ips=("10.42.0.7", "fd00:42::7"),
        mac="02:00:00:00:42:07",
        mtu=1450,
        default=True,
        gateway=("10.42.0.1",),
    ),
    NetworkStatus(
        name="shop/business",
        interface="net1",
        ips=("192.168.100.10",),
        mac="02:00:c0:a8:64:0a",
        dns=Dns(("192.168.100.53",), "plane.test", ("a<b>&c",), ("ndots:2",)),
    ),
    NetworkStatus(
        name="shop/storage",
        interface="net2",
        device_info={
            "type": "pci",
            "version": "1.1.0",
            "pci": {"pci-address": "0000:3b:02.1"},
        },
    ),
)

HOST_END = Interface("veth9")
ETH0 = Interface("eth0", "02:00:00:00:00:01", sandbox="/run/netns/a")
ETH1 = Interface("eth1", "02:00:00:00:00:02", sandbox="/run/netns/a")


def described(result: Result, *, is_default: bool = False, ifname: str = "eth0") -> Any:
    statuses = statuses_of("n", result, is_default=is_default, ifname=ifname)
    return json.loads(encode_status(statuses))


def test_the_bytes_are_the_golden_ones() -> None:
    assert encode_status(GOLDEN) == (DATA / "network-status.txt").read_text()


def test_the_golden_bytes_read_as_what_was_written() -> None:
    assert parse_status((DATA / "network-status.txt").read_text()) == GOLDEN


def test_the_status_of_a_node_under_multus_is_given_back_byte_for_byte() -> None:
    source = SHARED / "network-status.txt"
    if not source.exists():
        pytest.skip("the shared examples are not beside the project")
    text = source.read_text()
    assert encode_status(parse_status(text)) == text


def test_results_cached_under_multus_give_its_status_with_the_gateway_in_force() -> None:
    source = SHARED / "network-status.txt"
    if not source.exists():
        pytest.skip("the shared examples are not beside the project")
    written: list[NetworkStatus] = []
    for cached in sorted(SHARED.glob("var-lib-cni/multus/results/*")):
        record = json.loads(cached.read_text())
        is_default = record["ifName"] == "eth0"
        name = record["networkName"] if is_default else f"bench/{record['networkName']}"
        result = parse_result(record["result"], default_version="1.0.0")
        written += statuses_of(name, result, is_default=is_default, ifname=record["ifName"])
    text = encode_status(sorted(written, key=lambda status: status.interface))
    assert text == source.read_text().replace(r"\u003cnil\u003e", "10.244.1.1")


def test_the_nil_gateway_multus_writes_is_read_and_never_written_by_us() -> None:
    """Seen with Multus 4.3.0."""
    text = (DATA / "network-status-nil-gateway.txt").read_text()
    assert parse_status(text)[0].gateway == ("<nil>",)
    assert encode_status(parse_status(text)) == text
    result = Result((ETH0,), (Address("10.42.0.7/24"),), (Route("0.0.0.0/0"),))
    assert "gateway" not in described(result)[0]


def test_no_status_is_an_empty_list() -> None:
    assert encode_status(()) == "[]"
    assert parse_status("[]") == parse_status("") == parse_status("null") == ()


def test_one_interface_gives_one_status_with_all_addresses() -> None:
    result = Result((ETH0,), (Address("10.0.0.5/24", interface=7), Address("fd00::5/64")))
    assert described(result, is_default=True) == [
        {
            "name": "n",
            "interface": "eth0",
            "ips": ["10.0.0.5", "fd00::5"],
            "mac": "02:00:00:00:00:01",
            "default": True,
            "dns": {},
        }
    ]


def test_one_interface_without_sandbox_shows_its_addresses_only() -> None:
    result = Result((Interface("host", "m", 1500),), (Address("10.0.0.5/24"),))
    assert described(result) == [{"name": "n", "ips": ["10.0.0.5"], "dns": {}}]


def test_no_interface_gives_no_status() -> None:
    assert described(Result(ips=(Address("10.0.0.5/24"),))) == []


def test_several_interfaces_give_one_status_for_each_in_the_sandbox() -> None:
    result = Result(
        (HOST_END, ETH0, ETH1),
        (Address("10.0.0.5/24", "10.0.0.1", 1), Address("10.9.0.5/24", interface=2)),
        (
            Route("0.0.0.0/0", "10.0.0.1"),
            Route("10.8.0.0/16", "10.0.0.8"),
            Route("::/0", "fd00::1"),
        ),
        Dns(domain="d"),
    )
    shared = {"name": "n", "dns": {"domain": "d"}, "gateway": ["10.0.0.1", "fd00::1"]}
    assert described(result, is_default=True) == [
        shared | {"interface": "eth0", "ips": ["10.0.0.5"], "mac": ETH0.mac, "default": True},
        shared | {"interface": "eth1", "ips": ["10.9.0.5"], "mac": ETH1.mac},
    ]


def test_an_address_without_index_belongs_to_the_last_interface() -> None:
    result = Result((HOST_END, ETH0, ETH1), (Address("10.0.0.5/24"),))
    assert [status.get("ips") for status in described(result)] == [None, ["10.0.0.5"]]


def test_an_address_of_a_host_interface_or_of_none_is_not_shown() -> None:
    ips = (Address("10.0.0.5/24", interface=0), Address("10.0.0.6/24", interface=9))
    assert all("ips" not in status for status in described(Result((HOST_END, ETH0, ETH1), ips)))


def test_several_interfaces_none_in_the_sandbox_give_no_status() -> None:
    assert described(Result((HOST_END, HOST_END), (Address("10.0.0.5/24"),)), is_default=True) == []


@pytest.mark.parametrize(
    ("ips", "ifname", "default"),
    [
        (
            (Address("10.0.0.5/24", interface=1), Address("10.9.0.5/24", "10.9.0.1", 2)),
            "eth0",
            "eth1",
        ),
        ((Address("10.0.0.5/24", "10.0.0.1", 0),), "eth0", "eth0"),
        ((), "eth1", "eth1"),
        ((), "other", "eth0"),
    ],
)
def test_the_default_is_the_first_with_gateway_else_the_one_asked_for_else_the_first(
    ips: tuple[Address, ...], ifname: str, default: str
) -> None:
    statuses = described(Result((HOST_END, ETH0, ETH1), ips), is_default=True, ifname=ifname)
    assert [status["interface"] for status in statuses if status.get("default")] == [default]


def test_only_the_default_network_has_a_default() -> None:
    result = Result((HOST_END, ETH0, ETH1), (Address("10.0.0.5/24", "10.0.0.1", 1),))
    assert all("default" not in status for status in described(result))


def test_a_default_route_without_gateway_shows_the_one_in_force() -> None:
    ips = (Address("10.0.0.5/24", "10.0.0.1", 0), Address("fd00::5/64", "fd00::1", 0))
    routes = (Route("::/0"), Route("0.0.0.0/0"), Route("0.0.0.0/0", "10.0.0.9"))
    assert described(Result((ETH0,), ips, routes))[0]["gateway"] == [
        "fd00::1",
        "10.0.0.1",
        "10.0.0.9",
    ]


def test_mtu_is_shown_where_the_result_carries_it() -> None:
    assert described(Result((Interface("eth0", mtu=9000, sandbox="s"),)))[0]["mtu"] == 9000


@pytest.mark.parametrize(
    "text",
    ["{}", '"x"', "[1]", "[null]", '[{"name":1}]', '[{"ips":"10.0.0.1"}]', "[", '[{"mtu":"1"}]'],
)
def test_what_is_no_status_list_is_code_6(text: str) -> None:
    with pytest.raises(BadInput, match=r"^cannot read network-status: ") as error:
        parse_status(text)
    assert error.value.cni_code == 6


def test_an_error_names_the_element() -> None:
    with pytest.raises(BadInput, match=r"\[1\]\.ips\[0\] must be a string, not a number"):
        parse_status('[{"name":"a"},{"name":"b","ips":[5]}]')
