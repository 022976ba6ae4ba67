"""Sysctls of the node, judged by values, and read from files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cni.net.execute import Tools
from planes.cli.doctor.diagnosis import Diagnosis
from planes.cli.doctor.facts.networks import KnownNetwork
from planes.cli.doctor.facts.sysctls import NodeSysctls, read_sysctls, with_forward_chain
from planes.cli.doctor.judging.node_sysctls import judge_sysctls
from tests.cli.doctor.values import ETH0, default_network, link, only, plane, survey

HEALTHY = {
    "net.ipv4.ip_forward": "1",
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "2",
    "net.ipv4.conf.all.arp_ignore": "0",
    "net.ipv4.conf.default.arp_ignore": "0",
    "net.ipv6.conf.all.disable_ipv6": "0",
    "net.ipv6.conf.default.disable_ipv6": "0",
    "net.bridge.bridge-nf-call-iptables": "1",
    "net.netfilter.nf_conntrack_count": "100",
    "net.netfilter.nf_conntrack_max": "65536",
}
BRIDGED = {"type": "bridge", "master": "br1"}
IPV6 = [{"cidr": "fd00:9::/64"}]


def judged(
    values: dict[str, str],
    *networks: KnownNetwork,
    drops: bool | None = False,
    has_attached: bool = True,
) -> list[Diagnosis]:
    """Judge a healthy node with some values set otherwise; an empty one is missing."""
    set_to = {key: value for key, value in {**HEALTHY, **values}.items() if value}
    known = networks or (plane(), default_network(type="bridge", isGateway=True))
    node = survey(ETH0, link("eth1", 3))
    found = judge_sysctls(known, NodeSysctls(set_to, drops), node, has_attached=has_attached)
    return list(found)


def test_nothing_is_wrong_with_a_healthy_node() -> None:
    both = plane("six", subnets=IPV6)
    assert not judged({}, plane(), both, default_network(type="bridge", isGateway=True))


@pytest.mark.parametrize("which", ["all", "default"])
def test_a_strict_reverse_path_filter_is_found(which: str) -> None:
    zero = dict.fromkeys(("net.ipv4.conf.all.rp_filter", "net.ipv4.conf.default.rp_filter"), "0")
    found = only(judged({**zero, f"net.ipv4.conf.{which}.rp_filter": "1"}, plane()))
    assert found.severity == "warning"
    assert f"net.ipv4.conf.{which}.rp_filter = 1 (strict)" in found.what


@pytest.mark.parametrize(("for_all", "default"), [("2", "1"), ("1", "2"), ("0", "0")])
def test_the_larger_of_both_filters_counts(for_all: str, default: str) -> None:
    values = {
        "net.ipv4.conf.all.rp_filter": for_all,
        "net.ipv4.conf.default.rp_filter": default,
    }
    assert not judged(values, plane())


def test_a_plane_that_sets_the_filter_of_its_interfaces_is_left_out() -> None:
    own = plane(sysctls={"net.ipv4.conf.IFNAME.rp_filter": "2"})
    strict = {"net.ipv4.conf.all.rp_filter": "1", "net.ipv4.conf.default.rp_filter": "1"}
    assert judged(strict, plane())
    assert not judged(strict, own)


def test_a_node_without_planes_may_be_strict() -> None:
    strict = {"net.ipv4.conf.all.rp_filter": "1", "net.ipv4.conf.default.rp_filter": "1"}
    assert not judged(strict, default_network(type="bridge"))


def test_arp_that_answers_for_nothing_is_an_error() -> None:
    found = only(judged({"net.ipv4.conf.default.arp_ignore": "8"}, plane()))
    assert (found.severity, found.what[:37]) == ("error", "net.ipv4.conf.default.arp_ignore = 8,")
    for harmless in "1237":
        assert not judged({"net.ipv4.conf.default.arp_ignore": harmless}, plane())


@pytest.mark.parametrize(("ignore", "count"), [("0", 1), ("1", 0)])
def test_two_interfaces_in_one_subnet_answer_for_each_other(ignore: str, count: int) -> None:
    node = survey(ETH0, link("eth1", 3, "192.0.2.6/24"))
    values = NodeSysctls({"net.ipv4.conf.all.arp_ignore": ignore})
    found = list(judge_sysctls([], values, node))
    assert [one.what.partition(" have")[0] for one in found] == ["eth0, eth1"] * count


def test_frames_of_a_bridge_that_iptables_drops_are_found() -> None:
    found = only(judged({}, plane(network=BRIDGED), drops=True))
    assert "FORWARD chain is DROP" in found.what
    assert not judged({}, plane(network=BRIDGED), drops=None)
    assert not judged(
        {"net.bridge.bridge-nf-call-iptables": "0"}, plane(network=BRIDGED), drops=True
    )


def chain(*rules: str) -> NodeSysctls:
    """Return the sysctls of a node whose FORWARD chain drops what these rules do not accept."""
    lines = ["-P FORWARD DROP", *(f"-A FORWARD {rule}" for rule in rules)]
    return with_forward_chain(NodeSysctls(HEALTHY), "\n".join(lines))


@pytest.mark.parametrize(
    "rule",
    [
        "-j ACCEPT",
        "-m physdev --physdev-is-bridged -j ACCEPT",
        '-m physdev --physdev-is-bridged -m comment --comment "by the doctor" -j ACCEPT',
        "-i br1 -j ACCEPT",
        "-i br1 -o br1 -j ACCEPT",
    ],
)
def test_a_rule_that_accepts_frames_of_the_bridge_mends_it(rule: str) -> None:
    """The command that the doctor prints is among them."""
    network = plane(network=BRIDGED)
    printed = only(judge_sysctls([network], chain(), survey(ETH0))).mend
    assert printed.startswith("iptables -I FORWARD -m physdev --physdev-is-bridged -j ACCEPT,")
    assert not list(judge_sysctls([network], chain("-i x -j DROP", rule), survey(ETH0)))


@pytest.mark.parametrize(
    "rule",
    [
        "-i br2 -j ACCEPT",
        "-i br1 -o eth0 -j ACCEPT",
        "-i br1 -p tcp -j ACCEPT",
        "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-i br1 -j OTHER",
        "-m comment --comment \"it's -j ACCEPT",
        "! -i br1 -j ACCEPT",
    ],
)
def test_a_rule_that_accepts_only_some_frames_does_not(rule: str) -> None:
    assert list(judge_sysctls([plane(network=BRIDGED)], chain(rule), survey(ETH0)))


def test_a_default_bridge_needs_the_bridge_filter_for_services() -> None:
    network = default_network(type="bridge")
    found = only(judged({"net.bridge.bridge-nf-call-iptables": "0"}, network))
    assert found.severity == "hint"


def test_forwarding_that_was_switched_off_under_pods_is_found() -> None:
    routed = default_network(type="bridge", isGateway=True)
    off = {"net.ipv4.ip_forward": "0"}
    assert "ip_forward = 0" in only(judged(off, routed)).what
    assert not judged(off, routed, has_attached=False)
    assert not judged(off, plane())


def test_a_plane_with_ipv6_needs_a_kernel_with_ipv6() -> None:
    six = plane(subnets=IPV6)
    missing = only(judged({"net.ipv6.conf.all.disable_ipv6": ""}, six))
    assert (missing.severity, missing.what) == ("error", "the kernel runs without IPv6")
    off = only(judged({"net.ipv6.conf.all.disable_ipv6": "1"}, six))
    assert off.severity == "warning"
    assert not judged({"net.ipv6.conf.all.disable_ipv6": "1"}, plane())


@pytest.mark.parametrize(
    ("count", "expected"), [("60", []), ("90", ["warning"]), ("99", ["error"])]
)
def test_a_connection_table_that_is_nearly_full_is_found(count: str, expected: list[str]) -> None:
    values = {"net.netfilter.nf_conntrack_count": count, "net.netfilter.nf_conntrack_max": "100"}
    assert [one.severity for one in judged(values)] == expected


@pytest.mark.parametrize("value", ["", "-1", "x", "1\n2", "\u0661"])
def test_a_value_that_is_no_number_is_none(value: str) -> None:
    assert NodeSysctls({"a": value}).number("a") is None


def test_sysctls_are_read_from_files_with_their_names(tmp_path: Path) -> None:
    """A node that has no iptables says nothing of its FORWARD chain."""
    for name, value in HEALTHY.items():
        path = tmp_path.joinpath(*name.split("."))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value}\n")
    read: Any = read_sysctls(Tools(str(tmp_path)), str(tmp_path))
    assert read == NodeSysctls(HEALTHY, None)
