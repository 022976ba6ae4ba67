"""Configurations are accepted and refused as libcni does; what we do not know passes through."""

from __future__ import annotations

import json
from typing import Any

import pytest

from planes.model.errors import BadInput
from planes.model.wire.netconf import ConfList, NetConf, parse_conflist

MACVLAN: dict[str, Any] = {
    "cniVersion": "1.0.0",
    "name": "business",
    "type": "macvlan",
    "master": "eth1",
    "ipam": {"type": "host-local", "subnet": "192.168.0.0/16"},
}


def conflist(**changes: Any) -> ConfList:
    base = {"cniVersion": "1.0.0", "name": "n", "plugins": [{"type": "bridge"}]}
    return parse_conflist(json.dumps({**base, **changes}))


def refusal(data: Any, code: int) -> BadInput:
    with pytest.raises(BadInput) as error:
        parse_conflist(data if isinstance(data, str | bytes) else json.dumps(data))
    assert error.value.cni_code == code
    return error.value


def test_a_list_gives_its_plugins_in_order() -> None:
    network = conflist(plugins=[{"type": "bridge"}, {"type": "portmap"}])
    assert [plugin.type for plugin in network.plugins] == ["bridge", "portmap"]
    assert (network.name, network.cni_version) == ("n", "1.0.0")


def test_a_single_configuration_becomes_a_list_of_one() -> None:
    network = parse_conflist(json.dumps(MACVLAN))
    assert network.raw == {"cniVersion": "1.0.0", "name": "business", "plugins": [MACVLAN]}
    assert network.plugins == (NetConf(MACVLAN),)


def test_an_object_reads_like_its_text_and_stays_unchanged() -> None:
    given = json.loads(json.dumps(MACVLAN))
    assert parse_conflist(given, default_name="x") == parse_conflist(json.dumps(MACVLAN))
    assert given == MACVLAN


def test_what_is_written_reads_as_the_same_list() -> None:
    network = conflist(disableCheck=True, plugins=[{"type": "bridge", "x": [1, None, 10**30]}])
    assert parse_conflist(network.text) == network


@pytest.mark.parametrize(
    "number", ["18446744073709551616", "123456789012345678901234567890", "1.5"]
)
def test_numbers_of_unknown_keys_pass_through_unchanged(number: str) -> None:
    data = f'{{"cniVersion":"1.0.0","name":"n","plugins":[{{"type":"x","k":{{"n":{number}}}}}]}}'
    network = parse_conflist(data)
    assert network.text == data.replace(
        f'{{"type":"x","k":{{"n":{number}}}}}', f'{{"k":{{"n":{number}}},"type":"x"}}'
    )
    plugin = network.plugins[0].for_plugin(
        name="n", cni_version="1.0.0", prev_result=None, capability_args={}
    )
    assert f'"n":{number}'.encode() in plugin.encode()


def test_of_duplicate_keys_the_last_wins() -> None:
    assert parse_conflist('{"name":"n","type":"a","type":"b"}').plugins[0].type == "b"


def test_the_same_content_in_any_order_gives_the_same_bytes() -> None:
    backwards = dict(reversed(MACVLAN.items()))
    assert parse_conflist(backwards).text == parse_conflist(MACVLAN).text


def test_the_default_name_fills_a_missing_or_empty_one() -> None:
    for data in (
        '{"type":"x"}',
        '{"type":"x","name":""}',
        '{"name":null,"plugins":[{"type":"x"}]}',
    ):
        network = parse_conflist(data, default_name="nad")
        assert network.name == network.raw["name"] == "nad"
    assert parse_conflist('{"name":"own","type":"x"}', default_name="nad").name == "own"


def test_names_of_members_match_in_any_case() -> None:
    network = parse_conflist('{"Name":"n","TYPE":"macvlan","IPAM":{"Type":"static"}}')
    assert (network.name, network.plugins[0].ipam_type) == ("n", "static")


def test_without_version_a_network_runs_as_the_oldest() -> None:
    assert parse_conflist('{"name":"n","type":"x"}').cni_version == "0.1.0"


def test_the_version_is_negotiated() -> None:
    assert conflist(cniVersion="0.3.1", cniVersions=["0.4.0", "9.0.0"]).cni_version == "0.4.0"


@pytest.mark.parametrize(
    ("value", "meant"),
    [(True, True), (False, False), ("TRUE", True), ("false", False), (None, False)],
)
def test_switches_take_booleans_and_their_text(value: Any, meant: bool) -> None:
    network = conflist(disableCheck=value, disableGC=value, loadOnlyInlinedPlugins=value)
    assert network.disable_check is network.disable_gc is meant
    assert network.load_only_inlined_plugins is meant


@pytest.mark.parametrize("value", ["yes", 1, [], ""])
def test_other_switches_are_code_7(value: Any) -> None:
    refusal({"name": "n", "plugins": [{"type": "x"}], "disableGC": value}, 7)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("", 6),
        ("no json", 6),
        ("[]", 6),
        ("null", 6),
        ({"name": 5, "type": "x"}, 6),
        ({"name": "n", "type": 5}, 6),
        ({"name": "n", "plugins": {}}, 6),
        ({"name": "n", "plugins": ["x"]}, 6),
        ({"name": "n", "plugins": [None]}, 6),
        ({"name": "n", "type": "x", "capabilities": []}, 6),
        ({"name": "n", "type": "x", "capabilities": {"ips": "true"}}, 6),
        ({"name": "n", "type": "x", "cniVersion": 1}, 6),
        ({"name": "n", "type": "x", "cniVersion": "2.0.0"}, 1),
        ({}, 7),
        ({"name": "n"}, 7),
        ({"type": "x"}, 7),
        ({"name": "a/b", "type": "x"}, 7),
        ({"name": "n", "type": ""}, 7),
        ({"name": "n", "type": "../x"}, 7),
        ({"name": "n", "type": "a/b"}, 7),
        ({"name": "n", "plugins": []}, 7),
        ({"name": "n", "plugins": None}, 7),
        ({"name": "n", "plugins": [{"type": "x"}, {"name": "y"}]}, 7),
        ({"name": "n", "loadOnlyInlinedPlugins": True}, 7),
    ],
)
def test_what_libcni_refuses_is_refused(data: Any, code: int) -> None:
    refusal(data, code)


def test_the_error_names_configuration_and_plugin() -> None:
    with pytest.raises(BadInput, match=r"^cannot use NAD shop/n: plugins\[1\]: missing \"type\""):
        parse_conflist({"name": "n", "plugins": [{"type": "x"}, {}]}, what="NAD shop/n")


def test_a_list_may_take_all_its_plugins_from_its_folder() -> None:
    network = parse_conflist('{"name":"n","cniVersion":"1.1.0"}', allow_empty=True)
    grown = network.with_plugins([{"type": "macvlan"}, {"type": "tuning"}])
    assert network.plugins == ()
    assert [plugin.type for plugin in grown.plugins] == ["macvlan", "tuning"]
    assert parse_conflist(grown.text) == grown


def test_folder_plugins_come_after_the_inlined_ones() -> None:
    assert [p.type for p in conflist().with_plugins([{"type": "sbr"}]).plugins] == ["bridge", "sbr"]


@pytest.mark.parametrize(
    "data", ['{"name":"n","loadOnlyInlinedPlugins":true}', '{"name":"n","plugins":[]}']
)
def test_a_list_that_forbids_its_folder_or_is_empty_is_code_7(data: str) -> None:
    with pytest.raises(BadInput, match="no plugins in list") as error:
        parse_conflist(data, allow_empty=True)
    assert error.value.cni_code == 7


def test_a_folder_plugin_without_type_is_code_7() -> None:
    with pytest.raises(BadInput, match='folder plugin 0: missing "type"'):
        conflist().with_plugins([{}])


def test_a_list_that_stays_without_any_plugin_is_code_7() -> None:
    network = parse_conflist('{"name":"n"}', allow_empty=True)
    with pytest.raises(BadInput, match="cannot use network n: no plugin configs found") as error:
        network.with_plugins([])
    assert error.value.cni_code == 7
