"""The grammar of the networks annotation (multi-network spec 1.3, Multus 4)."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.model.annotations.selection import (
    Selection,
    format_selections,
    read_selections,
    shorthand,
)
from planes.model.errors import BadInput
from tests.support.selections import parse_selections


def only(text: str) -> Selection:
    (selection,) = parse_selections(text, "shop")
    return selection


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_text_asks_for_nothing(text: str) -> None:
    assert parse_selections(text, "shop") == ()


def test_a_comma_list_names_namespace_nad_and_interface() -> None:
    assert parse_selections("ns1/planea@eth5, planeb", "shop") == (
        Selection("planea", "ns1", "eth5"),
        Selection("planeb", "shop"),
    )


def test_json_has_every_field() -> None:
    element = {
        "name": "planea",
        "namespace": "ns1",
        "interface": "eth5",
        "ips": ["10.1.1.11/24", "fd00::1"],
        "mac": "02:00:00:00:00:11",
        "infiniband-guid": "02-00-00-00-00-00-00-11",
        "portMappings": [{"hostPort": 80, "containerPort": 8080, "protocol": "tcp"}],
        "bandwidth": {"ingressRate": 1000, "ingressBurst": 100},
        "deviceID": "0000:03:00.0",
        "cni-args": {"key": ["value"]},
        "default-route": ["10.1.1.254"],
        "ipam-claim-reference": "claim",
    }
    found = only(orjson.dumps([element]).decode())
    assert found == Selection(
        name="planea",
        namespace="ns1",
        interface="eth5",
        ips=("10.1.1.11/24", "fd00::1"),
        mac="02:00:00:00:00:11",
        infiniband_guid="02-00-00-00-00-00-00-11",
        port_mappings=({"hostPort": 80, "containerPort": 8080, "protocol": "tcp"},),
        bandwidth={"ingressRate": 1000, "ingressBurst": 100},
        device_id="0000:03:00.0",
        cni_args={"key": ["value"]},
        default_route=("10.1.1.254",),
        ipam_claim_reference="claim",
        raw=element,
    )
    assert orjson.loads(format_selections([found])) == [element]


def test_keys_ignore_case_and_null_is_absent() -> None:
    found = only('[{"NAME":"a","Interface":"x0","ips":null,"default-route":null}]')
    assert (found.name, found.interface, found.ips, found.default_route) == ("a", "x0", (), None)


def test_interface_wins_over_the_legacy_key() -> None:
    assert only('[{"name":"a","interfaceRequest":"old"}]').interface == "old"
    assert only('[{"name":"a","interface":"new","interfaceRequest":"old"}]').interface == "new"


def test_an_empty_default_route_is_not_an_absent_one() -> None:
    assert only('[{"name":"a","default-route":[]}]').default_route == ()


def test_a_nad_may_be_listed_twice() -> None:
    assert len(parse_selections("a,a", "shop")) == 2


def test_an_unknown_key_is_warned_about_with_the_close_one() -> None:
    (warning,) = read_selections('[{"name":"a","ip":["10.0.0.1"]}]', "shop").warnings
    assert warning.path == "metadata.annotations[k8s.v1.cni.cncf.io/networks][0].ip"
    assert warning.remedy == "did you mean ips?"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[null]", "[0]"),
        ("[1]", "[0]"),
        ('["a"]', "[0]"),
        ("[[]]", "[0]"),
        ("[{}]", "[0].name"),
        ('[{"name":null}]', "[0].name"),
        ('[{"name":7}]', "[0].name"),
        ('[{"name":""}]', "[0].name"),
        ('[{"name":"A_b"}]', "[0].name"),
        ('[{"name":"a","namespace":"-"}]', "[0].name"),
        ('[{"name":"a"},{"name":"a","ips":"10.0.0.1"}]', "[1].ips"),
        ('[{"name":"a","ips":["10.0.0.1","x"]}]', "[0].ips[1]"),
        ('[{"name":"a","ips":[7]}]', "[0].ips[0]"),
        ('[{"name":"a","mac":"02:00"}]', "[0].mac"),
        ('[{"name":"a","interface":"a:b"}]', "[0].interface"),
        ('[{"name":"a","interface":"sixteen-bytes-it"}]', "[0].interface"),
        ('[{"name":"a","default-route":["10.0.0.0/8"]}]', "[0].default-route[0]"),
        ('[{"name":"a","default-route":"10.0.0.1"}]', "[0].default-route"),
        ('[{"name":"a","portMappings":[{"hostPort":70000}]}]', "[0].portMappings[0].hostPort"),
        ('[{"name":"a","portMappings":{}}]', "[0].portMappings"),
        ('[{"name":"a","bandwidth":{"ingressRate":"1"}}]', "[0].bandwidth.ingressRate"),
        ('[{"name":"a","cni-args":[]}]', "[0].cni-args"),
        ("a,", "[1]"),
        (",a", "[0]"),
        ("a//b", "[0]"),
        ("a@b@c", "[0]"),
        ("a@", "[0]"),
        ("/a", "[0]"),
        ("A", "[0]"),
        ("a@x y", "[0]"),
        ('"a"', ""),
        ("{}", ""),
        ("[", ""),
        ('[{"name":"a"},]', ""),
    ],
)
def test_what_is_wrong_is_told_with_its_path(text: str, path: str) -> None:
    (error,) = read_selections(text, "shop").errors
    assert error.path == f"metadata.annotations[k8s.v1.cni.cncf.io/networks]{path}"
    assert error.message.startswith("cannot ")
    with pytest.raises(BadInput, match="cannot use the network selection"):
        parse_selections(text, "shop")


def test_a_long_list_is_refused_before_it_is_read() -> None:
    (error,) = read_selections(",".join(["A"] * 30_000), "shop").errors
    assert "30000 networks" in error.message


def test_a_text_of_more_than_64_kib_is_refused_unread() -> None:
    (error,) = read_selections(",".join(["A"] * 100_000), "shop").errors
    assert error.message == "cannot read the networks: the text has 199999 characters"


@pytest.mark.parametrize("text", ["a", "ns/a@eth5"])
def test_shorthand_says_what_it_can(text: str) -> None:
    selection = only(text)
    assert parse_selections(shorthand(selection) or "", "other") == (selection,)


def test_shorthand_refuses_what_it_cannot_say() -> None:
    assert shorthand(Selection("a", "ns", ips=("10.0.0.1",))) is None
    assert shorthand(Selection("a", "ns", interface="a,b")) is None


@given(st.text() | st.from_regex(r'[a-z/@,\[\]{}":0-9 ]{0,40}'))
def test_any_text_gives_selections_or_findings(text: str) -> None:
    reading = read_selections(text, "shop")
    assert all(error.message.startswith("cannot ") for error in reading.errors)
    assert (
        bool(reading.errors)
        or bool(reading.selections)
        or not text.strip()
        or text.strip()[0] == "["
    )


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_any_json_gives_selections_or_findings(value: object) -> None:
    try:
        text = orjson.dumps([value]).decode()
    except TypeError:
        text = str([value])
    read_selections(text, "shop")
