"""Any bytes give a value or exactly one `BadInput`; the same value gives the same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planes.model.decode import Fields, loads
from planes.model.encode import dumps, pretty
from planes.model.errors import BadInput
from planes.model.names import check_container_id, check_ifname, check_network_name
from planes.model.wire.cniversion import check_supported, negotiate, parse_version
from planes.model.wire.netconf import NetConf, parse_conflist
from planes.model.wire.result import parse_result
from planes.model.wire.status import encode_status, parse_status

NUMBERS = (
    st.integers() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False, allow_infinity=False)
)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
# Members that mean something, in any case, holding anything: what a parser must survive.
# fmt: off
WORDS = [
    "cniVersion", "cniVersions", "name", "type", "plugins", "capabilities", "ipam", "prevResult",
    "interfaces", "ips", "routes", "address", "gateway", "interface", "dst", "gw", "mtu", "dns",
    "search", "ip4", "ip6", "ip", "default", "device-info", "disableGC",
]
# fmt: on
MEMBERS = st.sampled_from(WORDS) | st.sampled_from(WORDS).map(str.upper)
TEXTS = st.sampled_from(
    ["", "1.0.0", "0.2.0", "0.4.0", "9.0", "n", "10.0.0.5/24", "10.0.0.5", "fd00::/200", "true"]
)
NEARLY = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=6),
    max_leaves=25,
)
PARSERS: list[Callable[[Any], object]] = [
    lambda data: loads(data, "x"),
    lambda data: parse_conflist(data).text,
    lambda data: parse_conflist(data, default_name="n", allow_empty=True).text,
    lambda data: parse_result(data, default_version="1.0.0"),
    lambda data: parse_result(data, default_version="0.2.0"),
]
run = settings(max_examples=40, deadline=None)


def text_of(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def refusal(parse: Callable[[Any], object], data: Any) -> BadInput | None:
    try:
        parse(data)
    except BadInput as error:
        return error
    return None


def value_or_bad_input(parse: Callable[[Any], object], data: Any) -> None:
    error = refusal(parse, data)
    if error is not None:
        assert error.cni_code in {1, 6, 7}
        assert str(error).startswith("cannot ")
        assert len(str(error)) < 600


@pytest.mark.parametrize("parse", PARSERS)
@given(data=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode()))
@run
def test_any_bytes_give_a_value_or_one_bad_input(
    parse: Callable[[Any], object], data: bytes
) -> None:
    value_or_bad_input(parse, data)


@pytest.mark.parametrize("parse", PARSERS)
@given(value=NEARLY)
@run
def test_nearly_right_objects_give_a_value_or_one_bad_input(
    parse: Callable[[Any], object], value: Any
) -> None:
    value_or_bad_input(parse, text_of(value))


@given(text=st.text(max_size=60) | NEARLY.map(lambda value: text_of(value).decode()))
@run
def test_any_text_gives_a_status_or_one_bad_input(text: str) -> None:
    value_or_bad_input(parse_status, text)


@given(conf=st.dictionaries(MEMBERS, NEARLY, max_size=6))
@run
def test_every_member_of_any_netconf_reads_or_is_one_bad_input(conf: dict[str, Any]) -> None:
    netconf = NetConf(conf)
    for read in (
        lambda _: (netconf.type, netconf.name, netconf.cni_version, netconf.ipam_type),
        lambda _: (netconf.ipam, netconf.runtime_config, netconf.args_cni, netconf.capabilities),
        lambda _: netconf.prev_result(),
        lambda _: negotiate(conf),
    ):
        value_or_bad_input(read, None)


@given(text=st.text(max_size=30))
@run
def test_any_text_is_a_name_or_one_bad_input(text: str) -> None:
    for check in (check_container_id, check_network_name, check_ifname, check_supported):
        error = refusal(check, text)
        assert error is None or error.cni_code in {1, 3, 4, 7}
    value_or_bad_input(parse_version, text)


@given(value=JSON)
@run
def test_what_is_written_reads_as_the_same_value(value: Any) -> None:
    for written in (dumps(value, "x"), pretty(value, "x"), pretty(value, "x", sort_keys=True)):
        assert loads(written, "x") == value


@given(value=JSON)
@run
def test_pretty_text_differs_from_the_standard_librarys_in_escapes_only(value: Any) -> None:
    assert json.loads(pretty(value, "x")) == value
    plain = json.dumps(value, indent=4)
    assert len(pretty(value, "x").splitlines()) == len(plain.splitlines())


@given(obj=st.dictionaries(st.text(max_size=5), JSON, max_size=6))
@run
def test_the_order_of_members_changes_no_byte(obj: dict[str, Any]) -> None:
    assert dumps(dict(reversed(obj.items())), "x") == dumps(obj, "x")


@given(extra=st.dictionaries(st.text().map(lambda key: f"x-{key}"), JSON, max_size=4))
@run
def test_unknown_members_pass_through_parsing_and_injection_unchanged(
    extra: dict[str, Any],
) -> None:
    conf = {**extra, "name": "n", "cniVersion": "1.0.0", "type": "t"}
    network = parse_conflist(text_of(conf))
    plugin = network.plugins[0].for_plugin(
        name="n", cni_version="1.0.0", prev_result=None, capability_args={}
    )
    assert loads(plugin.encode(), "x") == conf


@given(name=st.sampled_from(WORDS), value=st.text(min_size=1), upper=st.booleans())
@run
def test_a_member_is_found_in_any_case(name: str, value: str, upper: bool) -> None:
    written = name.upper() if upper else name.lower()
    assert Fields({written: value}, "x").string(name) == value


@given(text=NEARLY.map(lambda value: text_of([value]).decode()))
@run
def test_a_status_written_again_reads_as_the_same(text: str) -> None:
    try:
        statuses = parse_status(text)
    except BadInput:
        return
    assert parse_status(encode_status(statuses)) == statuses
