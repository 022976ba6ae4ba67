"""Any valid netconf of bridge and ptp: ADD, CHECK, and DEL leave the node as it was.

What the reference leaves for other sandboxes stays too: the bridge, and forwarding.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cni.net.kernel import Kernel
from cni.plugins.plugin import Call
from planes.model.wire.netconf import NetConf
from tests.support.node.netns import Node, node, picture, why_no_link_kind
from tests.support.node.plugins import detach, ours
from tests.support.node.scenarios import V4, V6, host_local

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

SWITCH = st.booleans()
RANGES = st.sampled_from([(V4,), (V6,), (V4, V6)])
COMMON = {
    "mtu": st.sampled_from([0, 1280, 1400]),
    "ipMasq": SWITCH,
    "ipMasqBackend": st.sampled_from(["", "iptables", "nftables"]),
    "dns": st.sampled_from([{}, {"nameservers": []}, {"search": ["a.example"]}]),
}
BRIDGE = st.fixed_dictionaries(
    {
        "type": st.just("bridge"),
        "isGateway": SWITCH,
        "isDefaultGateway": SWITCH,
        "forceAddress": SWITCH,
        "macspoofchk": SWITCH,
        "portIsolation": SWITCH,
        "preserveDefaultVlan": SWITCH,
        "wanted": st.sampled_from([{}, {"hairpinMode": True}, {"promiscMode": True}]),
        "ranges": RANGES | st.none(),
        **COMMON,
    }
)
PTP = st.fixed_dictionaries({"type": st.just("ptp"), "ranges": RANGES, **COMMON})


def netconf(drawn: dict[str, Any], directory: str) -> NetConf:
    ranges = drawn.pop("ranges")
    conf = {"cniVersion": "1.0.0", "name": "testnet", **drawn, **drawn.pop("wanted", {})}
    if ranges is not None:
        conf["ipam"] = host_local(*ranges, dataDir=directory)
    return NetConf(conf)


def seen(made: Node, directory: str) -> dict[str, Any]:
    host = picture(made.host)
    kept = [one for one in host["links"] if one["ifname"] != "cni0"]
    rules = made.host.run("iptables-save") + made.host.run("ip6tables-save")
    rules += made.host.run("nft", "list", "ruleset")
    marks = ("CNI-", "net: testnet", "macspoofchk", "cni-br-iface")
    return {
        "sandbox": picture(made.sandbox),
        "links": kept,
        "rules": [line for line in rules.splitlines() if any(mark in line for mark in marks)],
        "addresses": [path.name for path in Path(directory).glob("testnet/[0-9f]*")],
    }


async def attach_and_detach(drawn: dict[str, Any], made: Node, directory: str) -> None:
    kernel = Kernel(made.host.path)
    try:
        conf, call = netconf(drawn, directory), Call("c1", made.sandbox.path, "net1")
        plugin = ours(kernel).plugin(conf.type)
        result = await plugin.add(call, conf)
        checked = NetConf({**conf.raw, "prevResult": result.to_version("1.0.0")})
        await plugin.check(call, checked)
        await detach(kernel, plugin, call, checked)
    finally:
        kernel.close()


@given(drawn=BRIDGE | PTP)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_netconf_attached_and_detached_leaves_the_node_as_it_was(drawn: dict[str, Any]) -> None:
    if reason := why_no_link_kind("macvlan"):
        pytest.skip(reason)
    with node() as made, TemporaryDirectory() as directory:
        before = seen(made, directory)
        asyncio.run(attach_and_detach(drawn, made, directory))
        assert seen(made, directory) == before
