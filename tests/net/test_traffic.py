"""Attached sandboxes reach each other, their gateway, and hosts beyond the node."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cni.native.registry import native_plugins
from cni.net.kernel import Kernel
from cni.plugins.plugin import Call
from planes.model.wire.netconf import NetConf
from tests.support.node.netns import Namespace, Node, namespace
from tests.support.node.plugins import NoPlugin, detach, ipams
from tests.support.node.scenarios import V4, host_local

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(shutil.which("busybox") is None, reason="needs busybox for ping"),
]


@pytest.fixture
def other() -> Iterator[Namespace]:
    with namespace("pod") as made:
        yield made


def ping(source: Namespace, target: str) -> None:
    source.run("busybox", "ping", "-c", "1", "-W", "3", target)


@pytest.mark.parametrize("kind", ["macvlan", "bridge"])
async def test_two_sandboxes_reach_each_other(
    kind: str, kernel: Kernel, a_node: Node, other: Namespace, tmp_path: Path
) -> None:
    conf = NetConf(
        {
            "cniVersion": "1.0.0",
            "name": "testnet",
            "type": kind,
            "master": "eth1",
            "ipam": host_local(V4, dataDir=str(tmp_path)),
        }
    )
    plugin = native_plugins(kernel, ipams(), NoPlugin())[kind]
    calls = [Call("c1", a_node.sandbox.path, "net1"), Call("c2", other.path, "net1")]
    results = [await plugin.add(call, conf) for call in calls]
    ping(a_node.sandbox, results[1].ips[0].ip)
    ping(other, results[0].ips[0].ip)
    for call in calls:
        await detach(kernel, plugin, call, conf)


@pytest.mark.parametrize("backend", ["iptables", "nftables"])
async def test_hosts_beyond_the_node_see_its_address(
    backend: str, kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """The far side knows no route to the sandbox: an answer proves the masquerading."""
    a_node.host.ip("addr", "add", "172.16.7.1/24", "dev", "eth1")
    a_node.far.ip("addr", "add", "172.16.7.2/24", "dev", "eth1")
    conf = NetConf(
        {
            "cniVersion": "1.0.0",
            "name": "testnet",
            "type": "bridge",
            "isDefaultGateway": True,
            "ipMasq": True,
            "ipMasqBackend": backend,
            "ipam": host_local(V4, dataDir=str(tmp_path)),
        }
    )
    plugin = native_plugins(kernel, ipams(), NoPlugin())["bridge"]
    call = Call("c1", a_node.sandbox.path, "eth0")
    result = await plugin.add(call, conf)
    ping(a_node.sandbox, result.ips[0].gateway)
    ping(a_node.sandbox, "172.16.7.2")
    await detach(kernel, plugin, call, conf)
    assert "masquerade" not in a_node.host.run("nft", "list", "ruleset").replace("_masq", "")
