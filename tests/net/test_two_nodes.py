"""Two nodes on one wire: pods of a plane reach each other, and others do not, with real packets."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from cni.net.kernel import Kernel
from cni.plugins.plugin import Call
from planes.model.wire.netconf import NetConf
from tests.support.node.netns import Namespace, namespace, why_no_link_kind
from tests.support.node.on_master import plugin, with_addresses
from tests.support.node.plugins import detach

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.second_kernel,
    pytest.mark.skipif(shutil.which("busybox") is None, reason="needs busybox for ping"),
]


@dataclass(frozen=True, slots=True)
class WiredNode:
    """A node whose eth1 is one end of the cable."""

    host: Namespace
    kernel: Kernel


@dataclass(frozen=True, slots=True)
class Attached:
    """A pod with net1, and what detaches it."""

    node: WiredNode
    sandbox: Namespace
    call: Call
    conf: NetConf

    async def detach(self) -> None:
        one = plugin(self.node.kernel, self.conf.type)
        await detach(self.node.kernel, one, self.call, self.conf)

    def reaches(self, address: str) -> bool:
        """Report whether an address answers a ping of this pod."""
        command = f"busybox ping -c 2 -W 1 {address} >/dev/null 2>&1 && echo yes || echo no"
        return self.sandbox.run("sh", "-c", command).strip() == "yes"


@contextmanager
def wired_nodes() -> Iterator[tuple[WiredNode, WiredNode]]:
    """Make two nodes whose eth1 are the ends of one cable."""
    with ExitStack() as stack:
        one, other = (stack.enter_context(namespace("host")) for _ in range(2))
        argv = ("link", "add", "eth1", "type", "veth", "peer", "name", "eth1", "netns", other.name)
        one.ip(*argv)
        for host in (one, other):
            host.ip("link", "set", "eth1", "up")
        kernels = [Kernel(host.path) for host in (one, other)]
        for kernel in kernels:
            stack.callback(kernel.close)
        yield WiredNode(one, kernels[0]), WiredNode(other, kernels[1])


class Pods:
    """Attaches pods, and detaches all of them at the end."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._made: list[Attached] = []

    async def on(self, node: WiredNode, kind: str, address: str, **conf: Any) -> Attached:
        sandbox = self._stack.enter_context(namespace("pod"))
        asked = with_addresses(kind, address, **conf)
        call = Call(f"c{len(self._made)}", sandbox.path, "net1")
        await plugin(node.kernel, kind).add(call, asked)
        made = Attached(node, sandbox, call, asked)
        self._made.append(made)
        return made

    async def leave(self) -> None:
        for one in self._made:
            await one.detach()
            assert [link["ifname"] for link in one.sandbox.ip_json("link")] == ["lo"]


@pytest.fixture
def nodes() -> Iterator[tuple[WiredNode, WiredNode]]:
    with wired_nodes() as made:
        yield made


@pytest.fixture
def pods() -> Iterator[Pods]:
    with ExitStack() as stack:
        yield Pods(stack)


def require(kind: str) -> None:
    if reason := why_no_link_kind(kind):
        pytest.skip(reason)


async def test_ipvlan_pods_reach_each_other_on_one_node_and_across(
    nodes: tuple[WiredNode, WiredNode], pods: Pods
) -> None:
    require("ipvlan")
    here = await pods.on(nodes[0], "ipvlan", "10.9.0.1/24")
    await pods.on(nodes[0], "ipvlan", "10.9.0.2/24")
    there = await pods.on(nodes[1], "ipvlan", "10.9.0.3/24")
    assert here.reaches("10.9.0.2")
    assert here.reaches("10.9.0.3")
    assert there.reaches("10.9.0.1")
    await pods.leave()


async def test_vlan_pods_reach_those_of_their_vlan_only(
    nodes: tuple[WiredNode, WiredNode], pods: Pods
) -> None:
    """Another VLAN, and the untagged network, are out of reach, with addresses of one subnet."""
    require("vlan")
    require("macvlan")
    here = await pods.on(nodes[0], "vlan", "10.9.0.1/24", vlanId=100)
    other = await pods.on(nodes[0], "vlan", "10.9.0.2/24", vlanId=200)
    await pods.on(nodes[1], "vlan", "10.9.0.3/24", vlanId=100)
    await pods.on(nodes[1], "macvlan", "10.9.0.4/24")
    assert here.reaches("10.9.0.3")
    assert not here.reaches("10.9.0.2")
    assert not here.reaches("10.9.0.4")
    assert not other.reaches("10.9.0.3")
    await pods.leave()


@pytest.mark.parametrize(
    ("mode", "is_reached"), [("bridge", True), ("private", False), ("vepa", False)]
)
async def test_macvlan_pods_of_one_node_reach_each_other_in_mode_bridge_only(
    mode: str, is_reached: bool, nodes: tuple[WiredNode, WiredNode], pods: Pods
) -> None:
    """In every mode they reach the other node; vepa needs a switch that sends frames back."""
    require("macvlan")
    here = await pods.on(nodes[0], "macvlan", "10.9.0.1/24", mode=mode)
    await pods.on(nodes[0], "macvlan", "10.9.0.2/24", mode=mode)
    await pods.on(nodes[1], "macvlan", "10.9.0.3/24", mode=mode)
    assert here.reaches("10.9.0.3")
    assert here.reaches("10.9.0.2") is is_reached
    await pods.leave()
