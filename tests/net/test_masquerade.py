"""Masquerading: both backends, idempotent, removed by container and network alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_interface

import pytest

from cni.native.iptables import chain_name
from cni.native.masquerade import Masquerade, Masqueraded
from cni.native.nftables import instance_hash
from cni.native.packet_filter import PacketFilter
from cni.net.execute import ToolResult, Tools
from cni.net.kernel import Kernel
from planes.model.errors import BadInput, Internal, NotFound
from tests.support.node.netns import Node

pytestmark = pytest.mark.kernel

BOTH = (ip_interface("10.9.0.2/24"), ip_interface("fd00:9::2/64"))


@dataclass(frozen=True)
class Without(Tools):
    """The host's tools, less some."""

    missing: tuple[str, ...] = ()

    def execute(self, argv: Sequence[str], text: str = "") -> ToolResult:
        if argv[0].startswith(self.missing):
            raise NotFound(f"cannot run {argv[0]}: it is not installed on this node")
        return super().execute(argv, text)


@dataclass(frozen=True)
class Refused(Tools):
    """The host's tools, whose nft fails with a complaint."""

    complaint: str = ""

    def execute(self, argv: Sequence[str], text: str = "") -> ToolResult:
        if argv[0] == "nft":
            return ToolResult(1, "", self.complaint)
        return super().execute(argv, text)


def ruleset(node: Node) -> str:
    text = node.host.run("iptables-save", "-t", "nat") + node.host.run(
        "ip6tables-save", "-t", "nat"
    )
    return "\n".join(line for line in text.splitlines() if "CNI-" in line and line[0] in ":-")


def nft(node: Node) -> str:
    return node.host.run("nft", "list", "ruleset")


def test_chain_name_is_that_of_the_reference() -> None:
    assert chain_name("mynet", "c1") == "CNI-f0bca4ac77cde1bf2f3da5df"


async def test_adding_twice_adds_once(kernel: Kernel, a_node: Node) -> None:
    who = Masqueraded("testnet", "net1", "c1", BOTH)
    masquerade = Masquerade(PacketFilter(kernel, Tools()))
    await masquerade.add(who, "iptables")
    once = ruleset(a_node)
    await masquerade.add(who, "iptables")
    assert ruleset(a_node) == once
    assert once.count("MASQUERADE") == 2
    await masquerade.remove(who)
    assert ruleset(a_node) == ""


async def test_two_interfaces_of_a_sandbox_share_a_chain(kernel: Kernel, a_node: Node) -> None:
    """The reference empties the chain with the first DEL; the second interface needs it."""
    masquerade = Masquerade(PacketFilter(kernel, Tools()))
    first = Masqueraded("testnet", "net1", "c1", BOTH[:1])
    second = Masqueraded("testnet", "net2", "c1", (ip_interface("10.9.0.3/24"),))
    await masquerade.add(first, "iptables")
    await masquerade.add(second, "iptables")
    await masquerade.remove(first)
    assert "-s 10.9.0.3/32" in ruleset(a_node)
    assert "-s 10.9.0.2/32" not in ruleset(a_node)
    assert "MASQUERADE" in ruleset(a_node)
    await masquerade.remove(second)
    assert ruleset(a_node) == ""


async def test_addresses_need_not_be_known_to_remove(kernel: Kernel, a_node: Node) -> None:
    masquerade = Masquerade(PacketFilter(kernel, Tools()))
    await masquerade.add(Masqueraded("testnet", "net1", "c1", BOTH), "iptables")
    await masquerade.remove(Masqueraded("testnet", "net1", "c1"))
    assert ruleset(a_node) == ""


async def test_rules_of_others_stay(kernel: Kernel, a_node: Node) -> None:
    masquerade = Masquerade(PacketFilter(kernel, Tools()))
    a_node.host.run("iptables", "-t", "nat", "-A", "POSTROUTING", "-s", "10.9.0.2", "-j", "RETURN")
    other = Masqueraded("testnet", "net1", "c2", BOTH)
    await masquerade.add(other, "iptables")
    before = ruleset(a_node)
    who = Masqueraded("testnet", "net1", "c1", BOTH)
    await masquerade.add(who, "iptables")
    await masquerade.remove(who)
    assert ruleset(a_node) == before
    assert "RETURN" in a_node.host.run("iptables-save", "-t", "nat")


async def test_nftables_has_one_rule_for_each_address(kernel: Kernel, a_node: Node) -> None:
    masquerade = Masquerade(PacketFilter(kernel, Tools()))
    who = Masqueraded("testnet", "net1", "c1", BOTH)
    other = Masqueraded("testnet", "net2", "c1", BOTH[:1])
    await masquerade.add(who, "nftables")
    await masquerade.add(other, "nftables")
    await masquerade.add(who, "nftables")
    shown = nft(a_node)
    hashed = instance_hash("testnet", "net1", "c1")
    assert shown.count(f'comment "{hashed}, net: testnet, if: net1, id: c1"') == 2
    assert "ip saddr 10.9.0.2 ip daddr != 10.9.0.0/24 masquerade" in shown
    assert "ip6 saddr fd00:9::2 ip6 daddr != fd00:9::/64 masquerade" in shown
    assert shown.count("goto masq_checks") == 1
    await masquerade.remove(who)
    assert "if: net1" not in nft(a_node)
    assert "if: net2" in nft(a_node)


async def test_the_default_is_iptables_where_it_works(kernel: Kernel, a_node: Node) -> None:
    await Masquerade(PacketFilter(kernel, Tools())).add(
        Masqueraded("testnet", "net1", "c1", BOTH[:1]), ""
    )
    assert "MASQUERADE" in ruleset(a_node)
    assert "cni_plugins_masquerade" not in nft(a_node)


async def test_an_unknown_backend_is_refused(kernel: Kernel) -> None:
    with pytest.raises(BadInput, match="no backend 'pf'"):
        await Masquerade(PacketFilter(kernel, Tools())).add(
            Masqueraded("testnet", "net1", "c1", BOTH), "pf"
        )


@pytest.mark.parametrize("missing", [("ip",), ("ip", "nft")], ids=["iptables", "both"])
async def test_rules_are_not_forgotten_where_their_tool_went_missing(
    kernel: Kernel, a_node: Node, missing: tuple[str, ...]
) -> None:
    who = Masqueraded("testnet", "net1", "c1", BOTH)
    await Masquerade(PacketFilter(kernel, Tools())).add(who, "iptables")
    with pytest.raises(NotFound, match="not installed"):
        await Masquerade(PacketFilter(kernel, Without(missing=missing))).remove(who)
    assert "MASQUERADE" in ruleset(a_node)
    await Masquerade(PacketFilter(kernel, Tools())).remove(who)
    assert ruleset(a_node) == ""


@pytest.mark.parametrize(
    "complaint",
    [
        "netlink: Error: cache initialization failed: Operation not permitted",
        "Error: Could not process rule: Cannot allocate memory",
    ],
)
async def test_rules_are_not_forgotten_where_nft_may_not_look(
    kernel: Kernel, a_node: Node, complaint: str
) -> None:
    who = Masqueraded("testnet", "net1", "c1", BOTH)
    await Masquerade(PacketFilter(kernel, Tools())).add(who, "nftables")
    with pytest.raises(Internal, match="cannot list the rules of nftables"):
        await Masquerade(PacketFilter(kernel, Refused(complaint=complaint))).remove(who)
    assert "10.9.0.2" in nft(a_node)
    await Masquerade(PacketFilter(kernel, Tools())).remove(who)
    assert "10.9.0.2" not in nft(a_node)


async def test_a_kernel_without_nftables_has_no_rules_of_it(kernel: Kernel, a_node: Node) -> None:
    who = Masqueraded("testnet", "net1", "c1", BOTH)
    await Masquerade(PacketFilter(kernel, Tools())).add(who, "iptables")
    refused = Refused(complaint="Unable to initialize Netlink socket: Protocol not supported")
    await Masquerade(PacketFilter(kernel, refused)).remove(who)
    assert ruleset(a_node) == ""


@pytest.mark.parametrize("missing", ["ip", "nft"])
async def test_a_tool_that_was_never_there_is_not_missed(
    kernel: Kernel, a_node: Node, missing: str
) -> None:
    """A node may have one of the two only."""
    masquerade = Masquerade(PacketFilter(kernel, Without(missing=(missing,))))
    who = Masqueraded("testnet", "net1", "c1", BOTH)
    await masquerade.add(who, "")
    await masquerade.remove(who)
    assert ruleset(a_node) == ""
    assert "10.9.0.2" not in nft(a_node)


async def test_an_add_that_failed_for_want_of_tools_is_undone_without_them(kernel: Kernel) -> None:
    who = Masqueraded("testnet", "net1", "c1")
    await Masquerade(PacketFilter(kernel, Without(missing=("ip", "nft")))).remove(who)
