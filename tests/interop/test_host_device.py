"""Type `host-device` beside the reference plugin: equal after ADD, and each detaches the other's.

After DEL they differ on purpose: the reference leaves a device down, without addresses and routes.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from cni.native.registry import native_plugins
from cni.net.kernel import Kernel
from cni.plugins.plugin import Call
from planes.model.errors import Conflict
from tests.support.node.netns import Node, normalised, picture, why_no_reference
from tests.support.node.plugins import NoPlugin, Ours, PluginError, Reference, Side, ipams
from tests.support.node.scenarios import V4, V6, Scenario, host_local, static

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(60)]

ROUTES = [{"dst": "10.1.0.0/16"}, {"dst": "10.2.0.0/16", "gw": "10.9.0.9"}]


def _conf(**more: Any) -> dict[str, Any]:
    return {"type": "host-device", "device": "eth1", **more}


SCENARIOS = (
    Scenario("l2", _conf()),
    Scenario("v4", _conf(ipam=host_local(V4))),
    Scenario("routes", _conf(ipam=host_local(V4, routes=ROUTES)), is_checked=False),
    Scenario("default-route", _conf(ipam=host_local(V4, routes=[{"dst": "0.0.0.0/0"}]))),
    Scenario("dual", _conf(ipam=host_local(V4, V6, routes=[{"dst": "::/0"}]))),
    Scenario(
        "dns",
        _conf(
            dns={"nameservers": ["10.9.0.53"]},
            ipam=static({"address": "10.9.0.77/24"}, dns={"nameservers": ["1.1.1.1"]}),
        ),
    ),
)
SYSCTLS = ("ipv4/conf/eth0/arp_notify", "ipv6/conf/eth0/disable_ipv6")
each_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name)


@pytest.fixture(autouse=True)
def _has_reference() -> None:
    if reason := why_no_reference("host-device"):
        pytest.skip(reason)


def ours(kernel: Kernel, directory: Path) -> Ours:
    made = native_plugins(kernel, ipams(), NoPlugin(), records=directory / "devices")
    return Ours(kernel, made)


def call(node: Node) -> Call:
    return Call("c0ffee", node.sandbox.path, "eth0")


async def attached(node: Node, side: Side, conf: dict[str, Any]) -> dict[str, Any]:
    """Return everything that an ADD leaves, once the carrier is there."""
    node.host.ip("addr", "add", "192.0.2.9/24", "dev", "eth1")
    raw = await side.add(call(node), conf)
    result = json.loads(normalised(raw.decode(), [(node.sandbox.path, "NETNS")]))
    if not result.get("dns"):
        result.pop("dns", None)
    for _attempt in range(50):
        if "LOWER_UP" in node.sandbox.ip("link", "show", "eth0"):
            break
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.2)
    sysctls = {key: node.sandbox.sysctl(key) for key in SYSCTLS}
    return {"result": result, **picture(node.sandbox), "sysctls": sysctls}


@each_scenario
@pytest.mark.parametrize("version", ["0.3.1", "0.4.0", "1.0.0"])
async def test_an_add_leaves_what_the_reference_leaves(
    version: str, scenario: Scenario, node_a: Node, node_b: Node, tmp_path: Path
) -> None:
    """Result, links with their alias, addresses, routes, rules and sysctls of the sandbox."""
    kernel = Kernel(node_b.host.path)
    try:
        theirs = scenario.netconf(version, str(tmp_path / "theirs"))
        native = scenario.netconf(version, str(tmp_path / "ours"))
        expected = await attached(node_a, Reference(node_a.host), theirs)
        assert await attached(node_b, ours(kernel, tmp_path), native) == expected
    finally:
        kernel.close()


@each_scenario
@pytest.mark.parametrize("is_ours_first", [True, False], ids=["ours-theirs", "theirs-ours"])
async def test_what_one_side_attached_the_other_detaches(
    is_ours_first: bool, scenario: Scenario, node_a: Node, tmp_path: Path
) -> None:
    """CHECK passes, the device is on the host under its name, and no address is held."""
    kernel = Kernel(node_a.host.path)
    try:
        sides: list[Side] = [ours(kernel, tmp_path), Reference(node_a.host)]
        first, second = sides if is_ours_first else sides[::-1]
        conf = scenario.netconf("1.0.0", str(tmp_path / "ipam"))
        empty = picture(node_a.sandbox)
        conf["prevResult"] = json.loads(await first.add(call(node_a), conf))
        if scenario.is_checked:
            await second.check(call(node_a), conf)
        await second.delete(call(node_a), conf)
        assert picture(node_a.sandbox) == empty
        [shown] = node_a.host.ip_json("link", "show", "eth1")
        if not is_ours_first:  # releases of the reference before 1.5 leave the alias
            assert not shown.get("ifalias")
        assert list((tmp_path / "ipam").glob("testnet/[0-9f]*")) == []
        await sides[0].delete(call(node_a), conf)
        assert [one["ifname"] for one in node_a.host.ip_json("link")] == ["lo", "eth1"]
    finally:
        kernel.close()


async def test_a_name_that_the_sandbox_has_keeps_the_device_on_the_host(
    node_a: Node, tmp_path: Path
) -> None:
    """The reference of Debian loses it into the sandbox; both refuse."""
    kernel = Kernel(node_a.host.path)
    node_a.sandbox.ip("link", "add", "eth0", "type", "bridge")
    conf = {"cniVersion": "1.0.0", "name": "testnet", **_conf()}
    try:
        with pytest.raises(Conflict, match="it has an interface eth0"):
            await ours(kernel, tmp_path).add(call(node_a), conf)
        assert "eth1" in node_a.host.ip("link")
        with pytest.raises(PluginError):
            await Reference(node_a.host).add(call(node_a), conf)
    finally:
        kernel.close()
