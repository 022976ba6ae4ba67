"""Between spec versions a result keeps exactly what libcni's conversions keep."""

from __future__ import annotations

from typing import Any

import pytest

from planes.model.errors import BadInput
from planes.model.wire.result import Address, Dns, Interface, Result, Route, parse_result

TWO = ("0.1.0", "0.2.0")
FOUR = ("0.3.0", "0.3.1", "0.4.0")
TEN = ("1.0.0", "1.1.0")

LINK = Interface("net1", "02:00:00:00:00:01", 1500, "/run/netns/a", "/run/s", "0000:00:01.0")
V4, V4_SECOND = Address("10.0.0.5/24", "10.0.0.1", 0), Address("10.0.1.5/24", interface=0)
V6, V6_SECOND = Address("fd00::5/64", "fd00::1", 0), Address("fd00:1::5/64", interface=0)
ROUTE = Route("10.9.0.0/16", "10.0.0.9", 1400, 1360, 5, table=100, scope=0)


def converted(result: Result, *versions: str) -> Result:
    for version in versions:
        result = parse_result(result.to_version(version), default_version="")
    return result


@pytest.mark.parametrize("version", TEN)
def test_between_1_x_only_the_label_changes(version: str) -> None:
    result = Result((LINK,), (V4, V6), (ROUTE,), Dns(domain="a"))
    assert converted(result, version) == result


@pytest.mark.parametrize("version", FOUR)
def test_0_3_and_0_4_interfaces_have_name_mac_and_sandbox_only(version: str) -> None:
    obj = Result((LINK,)).to_version(version)
    assert obj["interfaces"] == [
        {"name": "net1", "mac": "02:00:00:00:00:01", "sandbox": "/run/netns/a"}
    ]


@pytest.mark.parametrize("version", FOUR)
def test_0_3_and_0_4_addresses_say_their_family(version: str) -> None:
    assert [ip["version"] for ip in Result(ips=(V4, V6)).to_version(version)["ips"]] == ["4", "6"]


@pytest.mark.parametrize("version", FOUR)
def test_0_3_and_0_4_routes_keep_all_their_members(version: str) -> None:
    assert converted(Result(routes=(ROUTE,)), version).routes == (ROUTE,)


@pytest.mark.parametrize("version", FOUR)
def test_members_0_3_and_0_4_do_not_know_are_not_read(version: str) -> None:
    obj: dict[str, Any] = {"cniVersion": version, "interfaces": [{"name": "a", "mtu": 9000}]}
    assert parse_result(obj, default_version="").interfaces == (Interface("a"),)


@pytest.mark.parametrize("version", TWO)
def test_0_2_keeps_the_first_address_of_each_family(version: str) -> None:
    obj = Result(ips=(V6, V4, V4_SECOND, V6_SECOND)).to_version(version)
    assert obj == {
        "cniVersion": version,
        "ip4": {"ip": "10.0.0.5/24", "gateway": "10.0.0.1"},
        "ip6": {"ip": "fd00::5/64", "gateway": "fd00::1"},
        "dns": {},
    }
    assert list(obj) == ["cniVersion", "ip4", "ip6", "dns"]


@pytest.mark.parametrize("version", TWO)
def test_0_2_routes_keep_destination_and_gateway_only(version: str) -> None:
    obj = Result(ips=(V4,), routes=(ROUTE,)).to_version(version)
    assert obj["ip4"]["routes"] == [{"dst": "10.9.0.0/16", "gw": "10.0.0.9"}]


@pytest.mark.parametrize("version", TWO)
def test_0_2_routes_of_a_family_without_address_are_dropped(version: str) -> None:
    obj = Result(ips=(V6,), routes=(ROUTE, Route("::/0"))).to_version(version)
    assert "ip4" not in obj
    assert obj["ip6"]["routes"] == [{"dst": "::/0"}]


@pytest.mark.parametrize("version", TWO)
def test_0_2_has_no_form_for_a_result_without_address(version: str) -> None:
    with pytest.raises(BadInput, match="no valid IP addresses") as error:
        Result((LINK,)).to_version(version)
    assert error.value.cni_code == 1


@pytest.mark.parametrize("version", TWO)
def test_from_0_2_routes_come_flattened_and_interfaces_are_lost(version: str) -> None:
    obj = {
        "cniVersion": version,
        "ip6": {"ip": "fd00::5/64", "routes": [{"dst": "::/0", "gw": "fd00::1", "mtu": 1400}]},
        "ip4": {"ip": "10.0.0.5/24", "gateway": "10.0.0.1", "routes": [{"dst": "0.0.0.0/0"}]},
        "dns": {"nameservers": ["10.0.0.53"]},
    }
    assert parse_result(obj, default_version="1.0.0") == Result(
        ips=(Address("10.0.0.5/24", "10.0.0.1"), Address("fd00::5/64")),
        routes=(Route("0.0.0.0/0"), Route("::/0", "fd00::1")),
        dns=Dns(("10.0.0.53",)),
    )


@pytest.mark.parametrize(
    "path", [("0.4.0", "0.3.1", "0.3.0"), ("1.0.0", "0.4.0"), ("0.3.0", "1.1.0")]
)
def test_a_detour_over_another_version_loses_no_more_than_its_narrowest(
    path: tuple[str, ...],
) -> None:
    narrow = Result((Interface("net1", "m", sandbox="s"),), (V4, V6), (ROUTE,), Dns(search=("a",)))
    assert converted(Result((LINK,), (V4, V6), (ROUTE,)), *path).ips == (V4, V6)
    assert converted(narrow, *path) == narrow


def test_dns_passes_through_every_version() -> None:
    dns = Dns(("10.0.0.53",), "a", ("b",), ("c",))
    for version in (*TWO, *FOUR, *TEN):
        assert converted(Result(ips=(V4,), dns=dns), version).dns == dns
