"""Rules where a tool is missing, and by the older kind of iptables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from cni.native.engine import Engine
from cni.native.packet_filter import PacketFilter
from cni.native.plugin import SteppedPlugin
from cni.native.types.firewall import Firewall
from cni.native.types.portmap import Portmap
from cni.net.execute import ToolResult, Tools
from cni.net.kernel import Kernel
from planes.model.errors import BadInput, NotFound
from planes.model.wire.netconf import NetConf
from tests.support.node.filters import call, iptables, mapping, nft, portmap, result, wire
from tests.support.node.netns import Node
from tests.support.node.plugins import ipams

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(60)]

MAPPED = portmap(mapping(8080, 80), mapping(5353, 53, "udp"))
OPENED = {
    "cniVersion": "1.0.0",
    "name": "testnet",
    "type": "firewall",
    "backend": "iptables",
    "ingressPolicy": "same-bridge",
    "prevResult": result(),
}


@dataclass(frozen=True)
class Less(Tools):
    """The host's tools, without those whose names begin so."""

    missing: tuple[str, ...] = ()

    def execute(self, argv: Sequence[str], text: str = "") -> ToolResult:
        if argv[0].startswith(self.missing):
            raise NotFound(f"cannot run {argv[0]}: it is not installed on this node")
        return super().execute(argv, text)


@dataclass(frozen=True)
class Legacy(Tools):
    """The host's tools, with the iptables that has tables of its own in the kernel."""

    def execute(self, argv: Sequence[str], text: str = "") -> ToolResult:
        name = argv[0].replace("tables", "tables-legacy") if "ip" in argv[0] else argv[0]
        return super().execute([name, *argv[1:]], text)


@pytest.fixture
def host(a_node: Node) -> Node:
    wire(a_node)
    return a_node


def plugin(kernel: Kernel, tools: Tools, kind: type[Portmap] = Portmap) -> SteppedPlugin:
    made = kind(PacketFilter(kernel, tools))
    return SteppedPlugin(made, Engine(kernel, ipams()), ipams())


def conf(**more: Any) -> NetConf:
    return NetConf({**MAPPED, **more})


def rules(node: Node) -> list[str]:
    return [
        x for x in [*iptables(node.host), *nft(node.host)] if "dnat to" in x or "DNAT --to" in x
    ]


async def test_without_iptables_the_backend_is_nftables(host: Node, kernel: Kernel) -> None:
    """Also for CHECK; and DEL does not need the tool that was never there."""
    native = plugin(kernel, Less(missing=("ip",)))
    await native.add(call(host), conf())
    assert [x for x in rules(host) if "dnat to" in x]
    assert iptables(host.host) == []
    await native.check(call(host), conf())
    await native.release(call(host), conf())
    assert rules(host) == []


async def test_without_iptables_what_only_it_can_do_is_refused(host: Node, kernel: Kernel) -> None:
    native = plugin(kernel, Less(missing=("ip",)))
    with pytest.raises(BadInput, match="iptables-specific options"):
        await native.add(call(host), conf(conditionsV4=["-s", "10.0.0.0/8"]))
    with pytest.raises(NotFound, match="not installed"):
        await native.add(call(host), conf(backend="iptables"))


async def test_without_nft_nothing_of_it_is_missed(host: Node, kernel: Kernel) -> None:
    native = plugin(kernel, Less(missing=("nft",)))
    await native.add(call(host), conf())
    await native.release(call(host), conf())
    assert rules(host) == []


@pytest.mark.parametrize("missing", [("ip",), ("ip", "nft")], ids=["iptables", "both"])
async def test_rules_are_not_forgotten_where_their_tool_went_missing(
    host: Node, kernel: Kernel, missing: tuple[str, ...]
) -> None:
    """DEL fails until the tool is back."""
    await plugin(kernel, Tools()).add(call(host), conf(backend="iptables"))
    with pytest.raises(NotFound, match="not installed"):
        await plugin(kernel, Less(missing=missing)).release(call(host), conf())
    await plugin(kernel, Tools()).release(call(host), conf())
    assert rules(host) == []


async def test_an_add_that_failed_for_want_of_tools_is_undone_without_them(
    host: Node, kernel: Kernel
) -> None:
    native = plugin(kernel, Less(missing=("ip", "nft")))
    with pytest.raises(NotFound):
        await native.add(call(host), conf())
    without = {key: value for key, value in MAPPED.items() if key != "prevResult"}
    await native.release(call(host), NetConf(without))


def legacy(node: Node, table: str) -> str:
    tools = ("iptables-legacy-save", "ip6tables-legacy-save")
    return "".join(node.host.run(tool, "-t", table) for tool in tools)


async def test_ports_are_mapped_by_the_older_iptables(host: Node, kernel: Kernel) -> None:
    native = plugin(kernel, Legacy())
    for container in ("c1", "c2"):
        await native.add(call(host, container), conf())
        await native.check(call(host, container), conf())
    assert legacy(host, "nat").count("DNAT --to-destination") == 8
    assert legacy(host, "nat").count("-A PREROUTING") == 2
    host.host.run("iptables-legacy", "-t", "nat", "-F", "CNI-HOSTPORT-DNAT")
    with pytest.raises(NotFound, match="cannot find a rule"):
        await native.check(call(host, "c1"), conf())
    for container in ("c1", "c2"):
        await native.release(call(host, container), conf())
        await native.release(call(host, container), conf())
    assert "CNI-DN-" not in legacy(host, "nat")


async def test_the_firewall_is_opened_by_the_older_iptables(host: Node, kernel: Kernel) -> None:
    made = Firewall(PacketFilter(kernel, Legacy()), "")
    native = SteppedPlugin(made, Engine(kernel, ipams()), ipams())
    for container in ("c1", "c2"):
        await native.add(call(host, container), NetConf(OPENED))
        await native.check(call(host, container), NetConf(OPENED))
    for container in ("c1", "c2"):
        await native.release(call(host, container), NetConf(OPENED))
        await native.release(call(host, container), NetConf(OPENED))
    assert "10.88.0.2" not in legacy(host, "filter")
    assert "CNI-FW-" not in legacy(host, "filter")
