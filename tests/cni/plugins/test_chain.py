"""Conflists as libcni runs them: what each plugin reads, natively or by exec."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cni.journal.entry import Entry
from cni.plugins.attachment import PlannedAttachment, in_order
from cni.plugins.plugin import Call
from cni.plugins.static_ipam import static_conf
from planes.model.errors import PlanesError
from planes.model.wire.netconf import NetConf, parse_conflist
from planes.model.wire.result import Address, Dns, Result, Route
from tests.cni.runtime_scene import bench
from tests.support.cni.runtime import NETNS, Bench

JsonObject = dict[str, Any]
CALL = Call("c1", NETNS, "net1", cni_path=("/opt/cni/bin",))


def attachment(*plugins: JsonObject, version: str = "1.0.0", **more: Any) -> PlannedAttachment:
    conflist = parse_conflist({"cniVersion": version, "name": "n", "plugins": list(plugins)})
    return PlannedAttachment("shop/n", conflist, "net1", **more)


def named(ifname: str, *plugins: JsonObject) -> PlannedAttachment:
    return replace(attachment(*plugins), ifname=ifname)


@pytest.fixture
async def made(tmp_path: Path) -> Bench:
    return await bench(tmp_path)


async def test_native_and_executed_plugins_pass_results_to_each_other(made: Bench) -> None:
    chained = attachment({"type": "inside", "ip": "10.5.0.2/24"}, {"type": "meta"})
    result = await made.add(CALL, chained)
    seen = made.exec.one("ADD meta net1").conf
    assert seen["prevResult"]["ips"] == [{"address": "10.5.0.2/24", "interface": 0}]
    assert [ip.address for ip in result.ips] == ["10.5.0.2/24"]


async def test_a_native_type_that_cannot_do_a_netconf_leaves_it_to_the_binary(made: Bench) -> None:
    made.exec.scripts["inside"] = made.exec.scripts["one"]
    await made.add(CALL, attachment({"type": "inside", "exotic": True}))
    assert made.exec.names() == ["ADD inside net1"]
    assert made.log == []


@pytest.mark.parametrize("version", ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
async def test_every_version_chains_in_its_own_form(made: Bench, version: str) -> None:
    chained = attachment({"type": "one", "ip": "10.5.0.2/24"}, {"type": "meta"}, version=version)
    result = await made.add(CALL, chained)
    seen = made.exec.one("ADD meta net1").conf
    assert seen["cniVersion"] == seen["prevResult"]["cniVersion"] == version
    assert [ip.address for ip in result.ips] == ["10.5.0.2/24"]


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
async def test_the_oldest_versions_run_too(made: Bench, version: str) -> None:
    async def old(call: Any) -> Any:
        body = b'{"cniVersion":"0.2.0","ip4":{"ip":"10.5.0.2/24"}}'
        return type(await made.exec.scripts["one"](call))(0, body, b"")

    made.exec.scripts["old"] = old
    result = await made.add(CALL, attachment({"type": "old"}, version=version))
    assert [ip.address for ip in result.ips] == ["10.5.0.2/24"]


def test_unknown_keys_and_capabilities_pass_through() -> None:
    plugin = {"type": "one", "capabilities": {"mac": True}, "odd": {"k": 10**30}}
    conf = attachment(plugin, capability_args={"mac": "m", "ips": ["i"]}).netconf(0)
    assert conf.raw["odd"] == {"k": 10**30}
    assert conf.raw["capabilities"] == {"mac": True}
    assert conf.raw["runtimeConfig"] == {"mac": "m"}


def test_a_selections_args_are_merged_over_the_configurations() -> None:
    plugin = {"type": "one", "args": {"other": 1, "cni": {"a": 1, "b": 2}}}
    conf = attachment(plugin, args={"b": 3}).netconf(0)
    assert conf.raw["args"] == {"other": 1, "cni": {"a": 1, "b": 3}}


def test_plane_ipam_gets_its_addresses_beside_the_netconf() -> None:
    """So that nothing in a configuration or CNI_ARGS can ask for others."""
    plugin = {"type": "one", "ipam": {"type": "plane", "plane": "p"}}
    one = attachment(plugin, plane="p", ips=("10.0.0.5/24",), candidates=("10.0.0.6",))
    assert one.netconf(0).runtime_config == {}
    entry = Entry("c1", "eth0", "", 0, "n", (), "shop", "web", "u1", "node-a", (one,))
    call = entry.call(one, "/run/netns/x")
    assert (call.plane, call.ips, call.candidates) == ("p", ("10.0.0.5/24",), ("10.0.0.6",))


def test_a_planes_static_addresses_are_the_only_ones_a_binary_is_told() -> None:
    """The reference static IPAM prefers `runtimeConfig.ips`, then `args.cni.ips`."""
    raw = {
        "type": "ipvlan",
        "ipam": {"type": "plane", "plane": "p"},
        "RuntimeConfig": {"IPs": ["10.0.0.66/24"], "mac": "02:00:00:00:00:01"},
        "args": {"CNI": {"ips": ["10.0.0.67/24"], "other": 1}},
    }
    conf = static_conf(NetConf(raw), Result(ips=(Address("10.0.0.5/24"),)))
    assert conf.ipam["addresses"] == [{"address": "10.0.0.5/24"}]
    assert conf.raw["RuntimeConfig"] == {"mac": "02:00:00:00:00:01"}
    assert conf.raw["args"] == {"CNI": {"other": 1}}
    assert raw["RuntimeConfig"]["IPs"] == ["10.0.0.66/24"]  # type: ignore[index]  # a JSON object


def test_a_planes_addresses_become_static_ones_for_a_binary() -> None:
    given = Result(
        ips=(Address("10.0.0.5/24", "10.0.0.1"), Address("fd00::5/64")),
        routes=(Route("10.8.0.0/16", "10.0.0.1"), Route("10.9.0.0/16")),
        dns=Dns(nameservers=("10.0.0.53",)),
    )
    conf = static_conf(NetConf({"type": "ipvlan", "ipam": {"type": "plane", "plane": "p"}}), given)
    assert conf.ipam == {
        "type": "static",
        "addresses": [
            {"address": "10.0.0.5/24", "gateway": "10.0.0.1"},
            {"address": "fd00::5/64"},
        ],
        "routes": [{"dst": "10.8.0.0/16", "gw": "10.0.0.1"}, {"dst": "10.9.0.0/16"}],
        "dns": {"nameservers": ["10.0.0.53"], "domain": "", "search": [], "options": []},
    }


async def test_a_failing_plugin_ends_the_chain(made: Bench) -> None:
    with pytest.raises(PlanesError, match="absent"):
        await made.add(CALL, attachment({"type": "absent"}, {"type": "meta"}))
    assert made.exec.names() == []


def test_the_order_is_that_of_the_list_after_the_default_network() -> None:
    first = attachment({"type": "one"}, is_default=True)
    listed = [named(f"net{number}", {"type": "two"}) for number in (3, 1, 2)]
    assert in_order([*listed, first]) == (first, *listed)


@pytest.mark.parametrize(
    "plugin",
    [
        {"type": "vlan", "linkInContainer": True, "master": "net2"},
        {"type": "vlan", "LINKINCONTAINER": True, "Master": "net2"},
        {"type": "bond", "linksInContainer": True, "links": [{"name": "net2"}]},
        {"type": "bond", "linksincontainer": True, "Links": [{"Name": "eth0"}, {"NAME": "net2"}]},
    ],
)
def test_what_names_an_interface_of_a_later_one_waits_for_that_alone(plugin: JsonObject) -> None:
    above = named("net1", plugin)
    below, after = named("net2", {"type": "two"}), named("net3", {"type": "two"})
    assert in_order([above, below, after]) == (below, above, after)
    assert in_order([below, above, after]) == (below, above, after)


@pytest.mark.parametrize(
    "plugin",
    [
        {"type": "vlan", "master": "net2"},
        {"type": "vlan", "linkInContainer": False, "master": "net2"},
        {"type": "vlan", "linkInContainer": True, "master": 7},
        {"type": "vlan", "linkInContainer": True, "master": "net1"},
        {"type": "bond", "linksInContainer": True, "links": "net2"},
        {"type": "bond", "linksInContainer": True, "links": [None, "net2", {"name": ["net2"]}]},
    ],
)
def test_what_names_no_interface_of_a_later_one_waits_for_nothing(plugin: JsonObject) -> None:
    above, below = named("net1", plugin), named("net2", {"type": "two"})
    assert in_order([above, below]) == (above, below)


def test_two_that_wait_for_each_other_keep_the_order_of_the_list() -> None:
    one = named("net1", {"type": "vlan", "linkInContainer": True, "master": "net2"})
    other = named("net2", {"type": "vlan", "linkInContainer": True, "master": "net1"})
    assert in_order([one, other]) == (one, other)
