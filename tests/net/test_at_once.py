"""Many attachments at once: each gets its own interface, and all are removed."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

import pytest

from cni.native.masquerade import Masquerade, Masqueraded
from cni.native.packet_filter import PacketFilter
from cni.native.registry import native_plugins
from cni.net.execute import Tools
from cni.net.kernel import Kernel
from cni.plugins.plugin import Call
from planes.model.wire.netconf import NetConf
from tests.net.names import link_names
from tests.support.node.netns import Node, namespace
from tests.support.node.plugins import NoPlugin, detach, ipams
from tests.support.node.scenarios import V4, V6, host_local

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(60)]

SANDBOXES = 12


@pytest.mark.parametrize("conf", [{"type": "macvlan", "master": "eth1"}, {"type": "bridge"}])
async def test_sandboxes_are_attached_at_once(
    conf: dict[str, Any], kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """The bridge is made once, with one MAC; addresses are all different, rules complete."""
    more = {"isGateway": True, "ipMasq": True} if conf["type"] == "bridge" else {}
    ipam = host_local(V4, V6, dataDir=str(tmp_path))
    given = NetConf({"cniVersion": "1.0.0", "name": "testnet", **conf, **more, "ipam": ipam})
    plugin = native_plugins(kernel, ipams(), NoPlugin())[given.type]
    with ExitStack() as stack:
        sandboxes = [stack.enter_context(namespace("pod")) for _ in range(SANDBOXES)]
        calls = [Call(f"c{at}", one.path, "eth0") for at, one in enumerate(sandboxes)]
        results = await asyncio.gather(*(plugin.add(call, given) for call in calls))
        assert len({one.address for result in results for one in result.ips}) == 2 * SANDBOXES
        outside = [one for result in results for one in result.interfaces if not one.sandbox]
        assert len({one.mac for one in outside if one.name == "cni0"}) == (1 if more else 0)
        text = a_node.host.run("iptables-save", "-t", "nat")
        assert text.count("MASQUERADE") == (SANDBOXES if more else 0)
        await asyncio.gather(*(detach(kernel, plugin, call, given) for call in calls))
        assert "CNI-" not in a_node.host.run("iptables-save", "-t", "nat")
        for one in sandboxes:
            assert await link_names(kernel, one.path) == {"lo"}
    assert list(tmp_path.glob("testnet/10.*")) == []


async def test_interfaces_of_one_sandbox_do_not_empty_each_others_chain(
    kernel: Kernel, a_node: Node
) -> None:
    masquerade = Masquerade(PacketFilter(kernel, Tools()))
    whose = [
        Masqueraded("testnet", f"net{at}", "c1", (ip_interface(f"10.{at}.0.2/24"),))
        for at in range(4)
    ]
    await asyncio.gather(*(masquerade.add(who, "iptables") for who in whose))
    text = a_node.host.run("iptables-save", "-t", "nat")
    assert text.count("-j ACCEPT") == 4
    await asyncio.gather(*(masquerade.remove(who) for who in whose))
    assert "CNI-" not in a_node.host.run("iptables-save", "-t", "nat")
