"""Conversions between result versions are identities on what both versions can carry."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Address, ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from planes.model.wire.status import encode_status, parse_status, statuses_of

run = settings(max_examples=30, deadline=None)

WORD = st.text(max_size=8)
WORDS = st.lists(WORD, max_size=2).map(tuple)
SIZE = st.integers(0, 2**31 - 1)
ADDRESSES = st.ip_addresses().filter(
    lambda ip: not (isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None)
)
CIDRS = ADDRESSES.flatmap(
    lambda ip: st.integers(0, ip.max_prefixlen).map(lambda length: f"{ip}/{length}")
)
GATEWAYS = st.just("") | ADDRESSES.map(str)
RESULTS = st.builds(
    Result,
    interfaces=st.lists(st.builds(Interface, WORD, WORD, SIZE, WORD, WORD, WORD), max_size=3).map(
        tuple
    ),
    ips=st.lists(
        st.builds(Address, CIDRS, GATEWAYS, st.none() | st.integers(0, 3)), max_size=4
    ).map(tuple),
    routes=st.lists(
        st.builds(
            Route, CIDRS, GATEWAYS, SIZE, SIZE, SIZE, table=st.none() | SIZE, scope=st.none() | SIZE
        ),
        max_size=3,
    ).map(tuple),
    dns=st.builds(Dns, WORDS, WORD, WORDS, WORDS),
)


def carried(result: Result, version: str) -> Result:
    """Return what a version can carry of a result, independently of the code under test."""
    if version in {"1.0.0", "1.1.0"}:
        return result
    if version.startswith(("0.3", "0.4")):
        links = [Interface(link.name, link.mac, sandbox=link.sandbox) for link in result.interfaces]
        return replace(result, interfaces=tuple(links))
    ips: list[Address] = []
    routes: list[Route] = []
    for family in (4, 6):
        of_family = [ip for ip in result.ips if ip_address(ip.ip).version == family]
        if of_family:
            ips.append(replace(of_family[0], interface=None))
            routes += [
                Route(route.dst, route.gw)
                for route in result.routes
                if ip_address(route.dst.partition("/")[0]).version == family
            ]
    return Result(ips=tuple(ips), routes=tuple(routes), dns=result.dns)


def through(result: Result, version: str) -> Result:
    return parse_result(encode_result(result, version), default_version="")


@pytest.mark.parametrize("version", SUPPORTED)
@given(result=RESULTS)
@run
def test_what_is_written_reads_as_what_the_version_can_carry(version: str, result: Result) -> None:
    if version in {"0.1.0", "0.2.0"} and not result.ips:
        return
    assert through(result, version) == carried(result, version)


@pytest.mark.parametrize("version", SUPPORTED)
@given(result=RESULTS.filter(lambda result: bool(result.ips)))
@run
def test_converting_twice_is_converting_once(version: str, result: Result) -> None:
    once = encode_result(result, version)
    assert encode_result(parse_result(once, default_version=""), version) == once


@given(result=RESULTS.filter(lambda result: bool(result.ips)))
@run
def test_a_detour_over_a_wider_version_changes_nothing(result: Result) -> None:
    for narrow, wide in (("0.2.0", "0.4.0"), ("0.2.0", "1.1.0"), ("0.4.0", "1.1.0")):
        straight = through(result, narrow)
        assert through(straight, wide) == straight


@given(ip=st.ip_addresses(v=6), data=st.data())
@run
def test_every_spelling_of_an_address_reads_as_the_one_of_the_standard_library(
    ip: IPv6Address, data: Any
) -> None:
    spelling = data.draw(st.sampled_from([str(ip), ip.exploded, str(ip).upper()]))
    obj = {"ips": [{"address": f"{spelling}/128", "gateway": spelling}]}
    address = parse_result(obj, default_version="1.1.0").ips[0]
    spelled = str(ip.ipv4_mapped or ip)
    assert (address.ip, address.gateway) == (spelled, spelled)


SPARSE = st.lists(st.sampled_from(["0", "1", "ab", "ffff"]), min_size=8, max_size=8)


@given(groups=SPARSE)
@run
def test_addresses_with_many_zero_groups_are_spelled_as_the_standard_library_does(
    groups: list[str],
) -> None:
    ip = IPv6Address(":".join(groups))
    for spelling in (str(ip), ":".join(groups)):
        obj = {"ips": [{"address": f"{spelling}/128"}]}
        read = parse_result(obj, default_version="1.0.0").ips[0].ip
        assert read == str(ip.ipv4_mapped or ip)


@given(result=RESULTS, is_default=st.booleans())
@run
def test_every_result_gives_statuses_that_read_back_with_at_most_one_default(
    result: Result, is_default: bool
) -> None:
    statuses = statuses_of("n", result, is_default=is_default, ifname="eth0")
    assert parse_status(encode_status(statuses)) == statuses
    assert sum(status.default for status in statuses) <= int(is_default)
