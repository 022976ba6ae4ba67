"""Conditions of portmap stay inside of the one rule that they narrow."""

from __future__ import annotations

import json

import pytest

from cni.native.iptables_rules import quoted
from cni.native.types.portmap_conditions import read_conditions
from cni.net.kernel import Kernel
from planes.model.errors import BadInput, PlanesError
from tests.support.node.filters import call, iptables, mapping, portmap, wire
from tests.support.node.netns import Node
from tests.support.node.plugins import ours

HOSTILE_IPTABLES = [
    ["-j", "ACCEPT"],
    ["-jACCEPT"],
    ["-s", "10.0.0.1", "--jump", "DROP"],
    ["-s", "10.0.0.1", "--j", "DROP"],
    ["-s", "10.0.0.1", "--jump=DROP"],
    ["-g", "KUBE-SERVICES"],
    ["--goto", "KUBE-SERVICES"],
    ["-A", "INPUT"],
    ["--append", "INPUT"],
    ["-t", "filter"],
    ["--tab", "filter"],
    ["-F"],
    ["--modprobe=/tmp/x"],
    ["--modp", "/tmp/x"],
    ["-M", "/tmp/x"],
    ["-m", "../../tmp/x"],
    ["-w", "100"],
    ["-4"],
    ["-6"],
    ["--"],
    ["-s", "10.0.0.1\n-A INPUT -j DROP"],
    ["-s", "10.0.0.1\r"],
    ["-s", "10.0.0.1\0"],
    ["-s", "x" * 256],
    ["-s", *["10.0.0.1"] * 64],
    ["", "-j", "ACCEPT"],
]
HOSTILE_NFTABLES = [
    ["ip saddr 10.0.0.1; flush ruleset"],
    ["ip", "saddr", "10.0.0.1\nflush ruleset"],
    ["ip saddr 10.0.0.1 accept #"],
    ["ip saddr 10.0.0.1 drop"],
    ["accept"],
    ["iifname", '"eth0'],
    ["iifname", "$x"],
    ["ip saddr {"],
    ["meta mark set 1"],
    ["ip saddr vmap { 10.0.0.1 : drop }"],
    ["jump output"],
    ["dnat to 10.0.0.1"],
    ["include", '"/etc/shadow"'],
    ["ip saddr 10.0.0.1\\"],
]
SOUND = [
    ["-s", "10.0.0.0/8"],
    ["!", "-s", "10.0.0.0/8", "-i", "eth0"],
    ["-m", "set", "--match-set", "clients", "src"],
    ["-m", "policy", "--dir", "in", "--pol", "ipsec"],
    ["-m", "comment", "--comment", 'a "quoted" \\ word; and -j so on'],
    ["-m", "recent", "--name", "x", "--rcheck"],
    ["ip", "saddr", "!=", "{", "10.0.0.1,", "10.0.0.0/8", "}"],
    ['iifname { "eth0", "wg*" } ip saddr @clients'],
    ["ct state new limit rate 10/second"],
    ["ip6 saddr fd00::/8"],
]


@pytest.mark.parametrize("words", [*HOSTILE_IPTABLES, *HOSTILE_NFTABLES], ids=json.dumps)
def test_what_is_more_than_a_condition_is_refused(words: list[str]) -> None:
    with pytest.raises(BadInput, match="cannot use conditionsV4"):
        read_conditions("conditionsV4", words)


@pytest.mark.parametrize("words", SOUND, ids=json.dumps)
def test_conditions_are_passed_on_as_they_are(words: list[str]) -> None:
    assert read_conditions("conditionsV4", words) == tuple(words)


def test_no_conditions_are_none() -> None:
    assert read_conditions("conditionsV4", []) == ()
    assert read_conditions("conditionsV4", [""]) == ()


@pytest.mark.parametrize(
    ("word", "text"),
    [("tcp", "tcp"), ("a b", '"a b"'), ('"', '"\\""'), ("\\", '"\\\\"'), ("", '""'), ("#", '"#"')],
)
def test_a_word_is_quoted_where_it_is_not_plain(word: str, text: str) -> None:
    assert quoted(word) == text


def test_a_line_break_is_no_part_of_a_word() -> None:
    with pytest.raises(BadInput):
        quoted("a\nb")


@pytest.mark.kernel
@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "words",
    [
        ["-m", "comment", "--comment", 'x" -j DROP -m comment --comment "y'],
        ["-m", "comment", "--comment", "x' -j DROP #"],
        ["-m", "comment", "--comment", "\\"],
        ["-m", "comment", "--comment", "COMMIT"],
        ["!"],
        ["-s"],
        ["-m"],
        ["-p", "udp"],
    ],
    ids=json.dumps,
)
async def test_no_quoting_makes_another_rule(
    words: list[str], kernel: Kernel, a_node: Node
) -> None:
    """The rule is made as meant, or not at all; the rules of others stay."""
    wire(a_node)
    native = ours(kernel)
    for tool in ("iptables", "ip6tables"):
        a_node.host.run(
            tool, "-t", "nat", "-A", "OUTPUT", "-d", "::1" if "6" in tool else "127.0.0.9"
        )
    conf = portmap(mapping(8080, 80), backend="iptables", conditionsV4=words)
    try:
        await native.add(call(a_node), conf)
    except PlanesError:
        assert not [line for line in iptables(a_node.host) if "CNI-DN" in line]
    rules = iptables(a_node.host)
    assert not [line for line in rules if line.endswith("DROP") or line.startswith("-A INPUT")]
    assert len([line for line in rules if line.startswith("-A CNI-HOSTPORT-DNAT")]) in {0, 2}
    await native.delete(call(a_node), conf)
    assert not [line for line in iptables(a_node.host) if "CNI-DN" in line]
