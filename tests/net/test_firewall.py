"""Type firewall: packets pass or not, CHECK, DEL in every state, and a failed ADD."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from cni.native.engine import Engine
from cni.native.packet_filter import PacketFilter
from cni.native.steps import Steps
from cni.native.types.firewall import Firewall
from cni.native.types.firewall_rules import record_chain
from cni.net.execute import Tools
from cni.net.kernel import Kernel
from cni.plugins.plugin import Call
from planes.model.errors import BadInput, Internal, NotFound
from planes.model.wire.netconf import NetConf
from tests.support.node.filters import (
    FAR,
    POD,
    call,
    connects,
    iptables,
    result,
    server,
    wire,
)
from tests.support.node.netns import Node
from tests.support.node.plugins import Ours, ipams, ours

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(60)]

JsonObject = dict[str, Any]
TCP = socket.SOCK_STREAM


@pytest.fixture
def host(a_node: Node) -> Node:
    wire(a_node)
    return a_node


@pytest.fixture
def native(kernel: Kernel) -> Ours:
    return ours(kernel)


def firewall(**more: Any) -> JsonObject:
    return {
        "cniVersion": "1.0.0",
        "name": "testnet",
        "type": "firewall",
        "backend": "iptables",
        "prevResult": result(),
        **more,
    }


def left(node: Node) -> list[str]:
    """Return the rules of the pod's addresses, and the records of attachments."""
    return [
        line
        for line in iptables(node.host, "filter")
        if any(one in line for one in (*POD.values(), "CNI-FW-"))
    ]


def drop_by_default(node: Node) -> None:
    for tool in ("iptables", "ip6tables"):
        node.host.run(tool, "-P", "FORWARD", "DROP")


@pytest.mark.parametrize("version", [4, 6])
async def test_a_pod_reaches_others_past_a_forward_chain_that_drops(
    host: Node, native: Ours, version: int
) -> None:
    """Answers come in; after DEL nothing passes."""
    drop_by_default(host)
    gateway = {4: "192.0.2.1", 6: "2001:db8::1"}[version]
    host.far.ip(f"-{version}", "route", "add", "default", "via", gateway)
    with server(host.far, FAR[version], 80, TCP) as listener:
        with pytest.raises(TimeoutError):
            connects(host.sandbox, FAR[version], 80, listener)
        await native.add(call(host), firewall())
        assert connects(host.sandbox, FAR[version], 80, listener) == POD[version]
        await native.delete(call(host), firewall())
        with pytest.raises(TimeoutError):
            connects(host.sandbox, FAR[version], 80, listener)


@pytest.mark.parametrize("version", [4, 6])
async def test_the_same_bridge_policy_keeps_other_bridges_away(
    host: Node, native: Ours, version: int
) -> None:
    """What is behind another bridge of the policy is refused; the uplink is not."""
    host.host.ip("link", "add", "br1", "type", "bridge")
    for number, name in enumerate(("br0", "br1")):
        text = json.dumps(result()).replace('"br0"', f'"{name}"')
        if number:
            text = text.replace(POD[4], "10.99.0.2").replace(POD[6], "fd99::2")
        conf = firewall(ingressPolicy="same-bridge", prevResult=json.loads(text))
        await native.add(call(host, f"c{number}"), conf)
    gateway = {4: "192.0.2.1", 6: "2001:db8::1"}[version]
    host.far.ip(f"-{version}", "route", "add", "default", "via", gateway)
    with server(host.sandbox, POD[version], 80, TCP) as listener:
        assert connects(host.far, POD[version], 80, listener) == FAR[version]
        host.host.ip("link", "set", "eth1", "master", "br1")
        host.host.ip("link", "set", "br1", "up")
        for family, address in ((4, "192.0.2.1/24"), (6, "2001:db8::1/64")):
            host.host.ip("addr", "del", address, "dev", "eth1")
            options = ["nodad"] if family == 6 else []
            host.host.ip("addr", "add", address, "dev", "br1", *options)
        with pytest.raises(TimeoutError):
            connects(host.far, POD[version], 80, listener)


CHANGES = [
    ("iptables", "-D", "FORWARD", "1"),
    ("iptables", "-D", "CNI-FORWARD", "1"),
    ("iptables", "-D", "CNI-FORWARD", "2"),
    ("ip6tables", "-D", "CNI-FORWARD", "3"),
    ("ip6tables", "-F", "FORWARD"),
]


@pytest.mark.parametrize("change", CHANGES, ids=" ".join)
async def test_check_finds_each_missing_rule(
    host: Node, native: Ours, change: tuple[str, ...]
) -> None:
    await native.add(call(host), firewall())
    await native.check(call(host), firewall())
    host.host.run(*change)
    with pytest.raises(NotFound, match="cannot find a rule"):
        await native.check(call(host), firewall())


async def test_removal_needs_neither_the_result_nor_the_sandbox(host: Node, native: Ours) -> None:
    """As after an ADD of which a later plugin failed, or which was interrupted."""
    await native.add(call(host), firewall())
    conf = firewall()
    del conf["prevResult"]
    await native.delete(Call("c0ffee", "", "eth0"), conf)
    assert left(host) == []
    await native.delete(Call("c0ffee", "", "eth0"), conf)


async def test_removal_leaves_an_untouched_node_untouched(host: Node, native: Ours) -> None:
    before = host.host.run("nft", "list", "ruleset")
    await native.delete(call(host), {k: v for k, v in firewall().items() if k != "prevResult"})
    assert host.host.run("nft", "list", "ruleset") == before


async def test_a_repeated_removal_spares_the_next_holder_of_the_address(
    host: Node, native: Ours
) -> None:
    """The DEL of a sandbox may come again when its addresses are another's."""
    await native.add(call(host, "c1"), firewall())
    await native.delete(call(host, "c1"), firewall())
    await native.add(call(host, "c2"), firewall())
    await native.delete(call(host, "c1"), firewall())
    await native.check(call(host, "c2"), firewall())
    await native.delete(call(host, "c2"), firewall())
    assert left(host) == []


async def test_two_attachments_with_one_address_each_have_its_rules(
    host: Node, native: Ours
) -> None:
    await native.add(call(host, "c1"), firewall())
    await native.add(call(host, "c2"), firewall())
    await native.delete(call(host, "c1"), firewall())
    await native.check(call(host, "c2"), firewall())
    await native.delete(call(host, "c2"), firewall())
    assert left(host) == []


async def test_a_second_add_replaces_the_rules(host: Node, native: Ours) -> None:
    await native.add(call(host), firewall())
    once = left(host)
    await native.add(call(host), firewall())
    assert left(host) == once


async def test_rules_that_another_removed_do_not_stop_a_removal(host: Node, native: Ours) -> None:
    await native.add(call(host), firewall())
    host.host.run("iptables", "-F", "CNI-FORWARD")
    host.host.run("ip6tables", "-D", "CNI-FORWARD", "2")
    await native.delete(call(host), firewall())
    assert left(host) == []


async def test_a_failed_add_leaves_no_rule(host: Node, kernel: Kernel) -> None:
    plugin = Firewall(PacketFilter(kernel, Tools()), "")

    def attach() -> Steps[None]:
        yield from plugin.attach(call(host), NetConf(firewall()))
        assert left(host)
        raise Internal("cannot go on")

    with pytest.raises(Internal, match="cannot go on"):
        await Engine(kernel, ipams()).run(host.sandbox.path, attach())
    assert left(host) == []


async def test_many_at_once_make_the_shared_rules_once(host: Node, native: Ours) -> None:
    async def add(number: int) -> None:
        text = json.dumps(firewall()).replace("88.0.2", f"88.0.{9 + number}")
        await native.add(call(host, f"c{number}"), json.loads(text))

    await asyncio.gather(*map(add, range(8)))
    jumps = [x for x in iptables(host.host, "filter") if x.startswith("-A FORWARD")]
    assert len(jumps) == 2


@pytest.mark.parametrize(
    "first",
    [{"name": "eth1"}, {"name": "br0", "sandbox": "/n"}, {"name": "no-such"}],
    ids=["no bridge", "of the sandbox", "missing"],
)
async def test_a_policy_is_for_bridges_of_the_node_only(
    host: Node, native: Ours, first: JsonObject
) -> None:
    """A pod's interface may have the name of a link of the node, which the rules would be of."""
    previous = result() | {"interfaces": [first]}
    previous["ips"] = [{"address": "10.88.0.2/24"}]
    conf = firewall(ingressPolicy="isolated", prevResult=previous)
    with pytest.raises(BadInput, match="cannot apply ingressPolicy isolated"):
        await native.add(call(host), conf)
    assert iptables(host.host, "filter") == []


@pytest.mark.parametrize(
    ("more", "path", "reason"),
    [
        ({"backend": "firewalld"}, "", "firewalld"),
        ({"backend": ""}, "run/firewalld.pid", "firewalld, which runs on this node"),
        (
            {"backend": ""},
            "run/systemd/units/invocation:firewalld.service",
            "firewalld, which runs on this node",
        ),
        ({"backend": "iptables"}, "run/firewalld.pid", ""),
        ({"backend": ""}, "", ""),
        ({"cniVersion": "0.3.1"}, "", "a CNI version that the reference refuses"),
    ],
    ids=["named", "pid file", "systemd", "iptables", "without", "old version"],
)
async def test_firewalld_is_left_to_the_binary(
    kernel: Kernel, tmp_path: Path, more: JsonObject, path: str, reason: str
) -> None:
    if path:
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).touch()
    plugin = Firewall(PacketFilter(kernel, Tools()), str(tmp_path))
    assert plugin.unsupported(NetConf(firewall(**more))) == reason


@pytest.mark.parametrize("chain", ["CNI-FORWARD", "CNI-ISOLATION-STAGE-2", ""])
async def test_no_chain_of_attachments_is_taken_for_the_administrator_s(
    host: Node, native: Ours, chain: str
) -> None:
    """A rule that leads to another attachment's chain would keep its DEL from removing it."""
    victim = call(host, "victim")
    await native.add(victim, firewall())
    named = chain or record_chain("testnet", "victim", victim.ifname)
    conf = firewall(iptablesAdminChainName=named)
    with pytest.raises(BadInput, match="iptablesAdminChainName is a chain of pods' attachments"):
        await native.add(call(host, "other"), conf)
    await native.delete(call(host, "other"), conf)
    await native.delete(victim, firewall())
    assert left(host) == []
