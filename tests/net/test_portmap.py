"""Type portmap: CHECK, DEL in every state, a failed ADD, and several at once; both backends."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any

import pytest

from cni.native.engine import Engine
from cni.native.packet_filter import PacketFilter
from cni.native.plugin import SteppedPlugin
from cni.native.steps import Steps
from cni.native.types.portmap import Portmap
from cni.native.types.portmap_iptables import chain_name
from cni.net.execute import ToolResult, Tools
from cni.net.kernel import Kernel
from planes.model.errors import BadInput, Internal, NotFound, PlanesError
from planes.model.wire.netconf import NetConf
from tests.support.node.filters import call, iptables, mapping, nft, wire
from tests.support.node.filters import portmap as netconf
from tests.support.node.netns import Node
from tests.support.node.plugins import Ours, ipams, ours

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(60)]

JsonObject = dict[str, Any]
backends = pytest.mark.parametrize("backend", ["iptables", "nftables"])
BOTH = (mapping(8080, 80), mapping(5353, 53, "udp"))


@pytest.fixture
def host(a_node: Node) -> Node:
    wire(a_node)
    return a_node


@pytest.fixture
def native(kernel: Kernel) -> Ours:
    return ours(kernel)


def left(node: Node, container_id: str = "c0ffee") -> list[str]:
    """Return the rules and chains of one container."""
    chain = re.compile(r"CNI-DN-")
    return [
        line
        for line in [*iptables(node.host), *nft(node.host)]
        if chain.search(line) or container_id in line or "dnat to" in line
    ]


CHANGES = {
    "iptables": [
        ("iptables", "-t", "nat", "-F", "CNI-HOSTPORT-DNAT"),
        ("ip6tables", "-t", "nat", "-F", "CNI-HOSTPORT-DNAT"),
        ("iptables", "-t", "nat", "-D", "{chain}", "1"),
        ("ip6tables", "-t", "nat", "-D", "{chain}", "2"),
    ],
    "nftables": [
        ("nft", "flush", "chain", "ip", "cni_hostport", "hostports"),
        ("nft", "flush", "chain", "ip6", "cni_hostport", "hostports"),
        ("nft", "flush", "chain", "ip", "cni_hostport", "masquerading"),
        ("nft", "delete", "table", "ip6", "cni_hostport"),
    ],
}


@pytest.mark.parametrize(
    ("backend", "change"),
    [(backend, change) for backend, changes in CHANGES.items() for change in changes],
    ids=lambda one: one if isinstance(one, str) else " ".join(one),
)
async def test_check_finds_each_missing_rule(
    host: Node, native: Ours, backend: str, change: tuple[str, ...]
) -> None:
    conf = netconf(*BOTH, backend=backend)
    await native.add(call(host), conf)
    await native.check(call(host), conf)
    chain = next((x[1:].split()[0] for x in iptables(host.host) if x.startswith(":CNI-DN")), "")
    host.host.run(*(word.format(chain=chain) for word in change))
    with pytest.raises(NotFound, match="cannot find"):
        await native.check(call(host), conf)


async def test_of_very_many_rules_check_counts_them(host: Node, native: Ours) -> None:
    conf = netconf(*(mapping(3000 + one, 80) for one in range(40)), backend="iptables")
    await native.add(call(host), conf)
    await native.check(call(host), conf)
    chain = next(x[1:].split()[0] for x in iptables(host.host) if x.startswith(":CNI-DN"))
    host.host.run("ip6tables", "-t", "nat", "-D", chain, "7")
    with pytest.raises(NotFound, match=f"cannot find a rule of the attachment in chain {chain}"):
        await native.check(call(host), conf)
    await native.delete(call(host), conf)
    assert left(host) == []


@backends
async def test_removal_needs_neither_the_result_nor_the_sandbox(
    host: Node, native: Ours, backend: str
) -> None:
    conf = netconf(*BOTH, backend=backend)
    await native.add(call(host), conf)
    assert left(host)
    del conf["prevResult"]
    gone = call(host)
    await native.delete(type(gone)(gone.container_id, "", gone.ifname), conf)
    assert left(host) == []


@backends
async def test_removal_finds_the_rules_of_either_backend(
    host: Node, native: Ours, backend: str
) -> None:
    """The netconf may name another backend by then."""
    other = "nftables" if backend == "iptables" else "iptables"
    await native.add(call(host), netconf(*BOTH, backend=backend))
    await native.delete(call(host), netconf(*BOTH, backend=other))
    assert left(host) == []


async def test_removal_leaves_an_untouched_node_untouched(host: Node, native: Ours) -> None:
    before = host.host.run("nft", "list", "ruleset")
    await native.delete(call(host), netconf(*BOTH))
    assert host.host.run("nft", "list", "ruleset") == before


async def test_a_second_add_replaces_the_rules(host: Node, native: Ours) -> None:
    """A container that is added again has the mappings of the second call only."""
    await native.add(call(host), netconf(mapping(8080, 80)))
    await native.add(call(host), netconf(mapping(8081, 80)))
    lines = left(host)
    assert not [line for line in lines if "8080" in line]
    await native.delete(call(host), netconf(mapping(8081, 80)))
    assert left(host) == []


@backends
async def test_rules_of_other_containers_stay(host: Node, native: Ours, backend: str) -> None:
    conf = netconf(*BOTH, backend=backend)
    await native.add(call(host, "c1"), conf)
    before = left(host)
    await native.add(call(host, "c2"), netconf(mapping(9090, 80), backend=backend))
    await native.delete(call(host, "c2"), netconf(mapping(9090, 80), backend=backend))
    assert left(host) == before


@backends
async def test_many_at_once_make_the_shared_rules_once(
    host: Node, native: Ours, backend: str
) -> None:
    confs = [netconf(mapping(9000 + one, 80), backend=backend) for one in range(8)]
    await asyncio.gather(
        *(native.add(call(host, f"c{one}"), conf) for one, conf in enumerate(confs))
    )
    lines = [*iptables(host.host), *nft(host.host)]
    assert len({x for x in lines if "--dports" in x or "dnat to" in x}) in {8, 16}
    jumps = [x for x in lines if x.startswith(("-A PREROUTING", "-A OUTPUT", "-A POSTROUTING"))]
    assert len(jumps) in {0, 6}
    await asyncio.gather(
        *(native.delete(call(host, f"c{one}"), conf) for one, conf in enumerate(confs))
    )
    assert left(host) == []


async def test_a_family_that_fails_takes_the_other_with_it(host: Node, native: Ours) -> None:
    """The second address is refused by the kernel's own syntax: its condition is of IPv4."""
    conf = netconf(*BOTH, backend="iptables", conditionsV6=["-s", "192.0.2.0/24"])
    with pytest.raises(Internal):
        await native.add(call(host), conf)
    assert left(host) == []
    conf = netconf(*BOTH, backend="nftables", conditionsV6=["ip", "saddr", "192.0.2.1"])
    with pytest.raises(Internal):
        await native.add(call(host), conf)
    assert left(host) == []


@backends
async def test_an_add_that_fails_after_its_rules_leaves_none(
    host: Node, kernel: Kernel, backend: str
) -> None:
    plugin = Portmap(PacketFilter(kernel, Tools()))

    def attach() -> Steps[None]:
        yield from plugin.attach(call(host), NetConf(netconf(*BOTH, backend=backend)))
        assert left(host)
        raise Internal("cannot go on")

    with pytest.raises(Internal, match="cannot go on"):
        await Engine(kernel, ipams()).run(host.sandbox.path, attach())
    assert left(host) == []


@backends
async def test_a_cancelled_add_leaves_none(host: Node, native: Ours, backend: str) -> None:
    """Wherever it is: the rules are removed before the caller goes on."""
    conf = netconf(*BOTH, backend=backend)
    for milliseconds in (0, 2, 5, 10, 20, 40):
        task = asyncio.ensure_future(native.add(call(host), conf))
        await asyncio.sleep(milliseconds / 1000)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            assert left(host) == []
        await native.delete(call(host), conf)
        assert left(host) == []


@dataclass(frozen=True)
class Waiting(Tools):
    """The host's tools, which wait as if another program held the xtables lock."""

    released: Event = field(default_factory=Event)

    def execute(self, argv: Sequence[str], text: str = "") -> ToolResult:
        self.released.wait(20)
        return super().execute(argv, text)


async def test_a_held_xtables_lock_does_not_stop_other_kernel_work(
    host: Node, kernel: Kernel
) -> None:
    """Links are read and removed while ten containers wait for their rules."""
    tools = Waiting()
    plugin = SteppedPlugin(Portmap(PacketFilter(kernel, tools)), Engine(kernel, ipams()), ipams())
    conf = NetConf(netconf(*BOTH, backend="iptables"))
    adds = [asyncio.ensure_future(plugin.add(call(host, f"c{n}"), conf)) for n in range(10)]
    await asyncio.sleep(0.1)
    async with asyncio.timeout(10):
        await kernel.facts(host.sandbox.path)
        await kernel.remove_links(host.sandbox.path, ("nothing",))
    assert not any(one.done() for one in adds)
    tools.released.set()
    await asyncio.gather(*adds)
    await asyncio.gather(*(plugin.release(call(host, f"c{n}"), conf) for n in range(10)))
    assert left(host) == []


@pytest.mark.parametrize(
    "runtime", [{"portMappings": ["x"]}, {"portMappings": [{"hostPort": "x"}]}, "x"], ids=repr
)
async def test_a_netconf_that_cannot_be_read_is_refused_and_removed(
    host: Node, native: Ours, runtime: Any
) -> None:
    conf = netconf() | {"runtimeConfig": runtime}
    with pytest.raises(PlanesError):
        await native.add(call(host), conf)
    await native.delete(call(host), conf)
    assert left(host) == []


async def test_no_chain_of_another_attachment_marks_packets(host: Node, native: Ours) -> None:
    """A rule that leads to it would keep the other one's DEL from removing it."""
    victim, conf = call(host, "victim"), netconf(*BOTH, backend="iptables")
    await native.add(victim, conf)
    chain = chain_name("testnet", "victim")
    assert any(chain in line for line in left(host))
    other = netconf(mapping(8081, 80), backend="iptables", externalSetMarkChain=chain)
    with pytest.raises(BadInput, match="externalSetMarkChain is a chain of pods' attachments"):
        await native.add(call(host, "other"), other)
    await native.delete(call(host, "other"), other)
    await native.delete(victim, conf)
    assert left(host, "victim") == []


@pytest.mark.parametrize("way", ["direct", "gateway"])
async def test_localhost_is_not_opened_to_the_network_of_the_node(
    host: Node, native: Ours, way: str
) -> None:
    """The author of a network chooses its addresses; one may be routed through an uplink."""
    host.host.ip("route", "add", "default", "via", "192.0.2.254", "dev", "eth1")
    address = {"direct": "192.0.2.77/24", "gateway": "203.0.113.7/24"}[way]
    interfaces = [{"name": "net1", "sandbox": host.sandbox.path}]
    ips = [{"address": address, "interface": 0}]
    previous = {"cniVersion": "1.0.0", "interfaces": interfaces, "ips": ips}
    conf = netconf(mapping(8080, 80), prevResult=previous)
    where = replace(call(host), ifname="net1")
    await native.add(where, conf)
    assert host.host.sysctl("ipv4/conf/eth1/route_localnet") == "0"
    await native.delete(where, conf)
