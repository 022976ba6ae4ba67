"""A plugin's configuration is completed as libcni does before it runs the plugin."""

from __future__ import annotations

import json
from typing import Any

import pytest

from planes.model.errors import BadInput
from planes.model.wire.netconf import NetConf, parse_conflist
from planes.model.wire.result import Address, Dns, Interface, Result, Route

RESULT = Result(
    interfaces=(
        Interface("net1", "02:00:00:00:00:01", 1500, "/run/netns/a", pci_id="0000:01:00.1"),
    ),
    ips=(Address("10.0.0.5/24", "10.0.0.1", 0), Address("fd00::5/64")),
    routes=(Route("0.0.0.0/0", "10.0.0.1"), Route("fd01::/64", mtu=1400, table=7, scope=0)),
    dns=Dns(nameservers=("10.0.0.2",), search=("shop",)),
)


def injected(
    raw: dict[str, Any],
    *,
    version: str = "1.0.0",
    prev: Result | None = None,
    args: dict[str, Any] | None = None,
    extra: dict[str, Any] | None = None,
) -> dict[str, Any]:
    conf = NetConf(raw).for_plugin(
        name="n",
        cni_version=version,
        prev_result=prev,
        capability_args=args or {},
        extra=extra or {},
    )
    return conf.raw


def test_name_and_version_of_the_list_replace_the_plugins_own() -> None:
    raw = injected({"type": "x", "name": "own", "cniVersion": "0.2.0"})
    assert raw == {"type": "x", "name": "n", "cniVersion": "1.0.0"}


def test_members_in_another_case_cannot_win_over_injected_ones() -> None:
    raw = injected({"type": "x", "NAME": "a", "cniversion": "9", "prevresult": {}}, prev=RESULT)
    assert raw.keys() == {"type", "name", "cniVersion", "prevResult"}


def test_the_given_configuration_is_not_changed() -> None:
    raw = {"type": "x", "capabilities": {"ips": True}}
    injected(raw, prev=RESULT, args={"ips": ["10.0.0.1/24"]})
    assert raw == {"type": "x", "capabilities": {"ips": True}}


@pytest.mark.parametrize("version", ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
def test_the_previous_result_comes_in_the_lists_version(version: str) -> None:
    raw = injected({"type": "x"}, version=version, prev=RESULT)
    assert raw["prevResult"] == RESULT.to_version(version)


@pytest.mark.parametrize("version", ["0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
def test_the_previous_result_is_the_one_that_a_binary_would_read(version: str) -> None:
    conf = NetConf({"type": "x"}).for_plugin(
        name="n", cni_version=version, prev_result=RESULT, capability_args={}
    )
    assert conf.prev_result() == NetConf(conf.raw).prev_result()


def test_a_first_plugin_gets_no_previous_result() -> None:
    assert "prevResult" not in injected({"type": "x"})


def test_before_chains_existed_a_result_without_address_is_not_passed_on() -> None:
    assert "prevResult" not in injected({"type": "x"}, version="0.2.0", prev=Result())


def test_runtime_config_is_what_is_both_declared_true_and_passed() -> None:
    raw = injected(
        {"type": "x", "capabilities": {"ips": True, "mac": False, "bandwidth": True}},
        args={"ips": ["10.0.0.1/24"], "mac": "02:00:00:00:00:01", "portMappings": []},
    )
    assert raw["runtimeConfig"] == {"ips": ["10.0.0.1/24"]}


def test_capabilities_stay_as_libcni_leaves_them() -> None:
    capabilities = {"ips": True, "mac": False}
    raw = injected({"type": "x", "capabilities": capabilities}, args={"ips": []})
    assert raw["capabilities"] == capabilities


def test_runtime_config_replaces_a_configured_one_unless_empty() -> None:
    raw = {"type": "x", "capabilities": {"mac": True}, "runtimeConfig": {"ips": ["a"]}}
    assert injected(raw, args={"mac": "m"})["runtimeConfig"] == {"mac": "m"}
    assert injected(raw, args={"ips": ["b"]})["runtimeConfig"] == {"ips": ["a"]}
    assert "runtimeConfig" not in injected({"type": "x"}, args={"mac": "m"})


def test_extra_members_are_set_but_never_beat_name_and_version() -> None:
    raw = injected({"type": "x", "deviceID": "a"}, extra={"deviceID": "b", "name": "evil"})
    assert (raw["deviceID"], raw["name"]) == ("b", "n")


def test_attachments_for_gc_can_be_injected() -> None:
    valid = [{"containerID": "c", "ifname": "net1"}]
    raw = injected({"type": "x"}, version="1.1.0", extra={"cni.dev/valid-attachments": valid})
    assert raw["cni.dev/valid-attachments"] == valid


def test_the_bytes_have_sorted_keys() -> None:
    text = NetConf({"type": "x", "b": 1, "a": 2}).encode()
    assert text == b'{"a":2,"b":1,"type":"x"}'


def test_known_members_are_read_by_name() -> None:
    conf = NetConf(
        {
            "type": "macvlan",
            "name": "n",
            "cniVersion": "1.0.0",
            "capabilities": {"ips": True, "mac": False, "dns": None},
            "ipam": {"type": "static", "x": 1},
            "runtimeConfig": {"ips": ["a"]},
            "args": {"cni": {"ips": ["b"]}},
        }
    )
    assert (conf.type, conf.name, conf.cni_version) == ("macvlan", "n", "1.0.0")
    assert conf.capabilities == {"ips"}
    assert (conf.ipam, conf.ipam_type) == ({"type": "static", "x": 1}, "static")
    assert (conf.runtime_config, conf.args_cni) == ({"ips": ["a"]}, {"ips": ["b"]})


def test_absent_members_read_as_empty() -> None:
    conf = NetConf({"type": "x"})
    assert (conf.name, conf.cni_version, conf.ipam_type) == ("", "", "")
    assert (conf.ipam, conf.runtime_config, conf.args_cni) == ({}, {}, {})
    assert conf.capabilities == frozenset()
    assert conf.prev_result() is None


def test_a_list_has_the_capabilities_of_all_its_plugins() -> None:
    plugins = [
        {"type": "a", "capabilities": {"ips": True, "dns": False}},
        {"type": "b", "capabilities": {"portMappings": True}},
    ]
    network = parse_conflist(json.dumps({"name": "n", "plugins": plugins}))
    assert network.capabilities() == {"ips", "portMappings"}


@pytest.mark.parametrize(
    ("conf_version", "own", "reads"),
    [
        ("1.0.0", "1.1.0", True),
        ("1.1.0", "1.0.0", True),
        ("1.0.0", None, True),
        ("0.4.0", "0.3.1", True),
        ("0.3.1", "", True),
        ("0.4.0", "1.0.0", False),
        ("1.0.0", "0.4.0", False),
        ("", "1.0.0", False),
    ],
)
def test_a_previous_result_must_have_the_form_of_the_configuration(
    conf_version: str, own: str | None, reads: bool
) -> None:
    prev: dict[str, Any] = {"ips": [{"version": "4", "address": "10.0.0.5/24"}]}
    if own is not None:
        prev["cniVersion"] = own
    conf = NetConf({"type": "x", "cniVersion": conf_version, "prevResult": prev})
    if reads:
        assert conf.prev_result() == Result(ips=(Address("10.0.0.5/24"),))
        return
    with pytest.raises(BadInput, match=f"cniVersion {own} does not go with") as error:
        conf.prev_result()
    assert error.value.cni_code == 6


def test_a_previous_result_survives_injection_and_reading() -> None:
    conf = NetConf({"type": "x"}).for_plugin(
        name="n", cni_version="1.1.0", prev_result=RESULT, capability_args={}
    )
    assert conf.prev_result() == RESULT


def test_a_previous_result_of_another_type_is_code_6() -> None:
    with pytest.raises(BadInput) as error:
        NetConf({"type": "x", "prevResult": []}).prev_result()
    assert error.value.cni_code == 6
