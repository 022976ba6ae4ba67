"""Each fault is found when it is planted on a node, and nothing on a healthy one.

The node is a network namespace; state, CNI conf dir and plugins are folders of the test.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cni.journal.files import entry_path, write_entry
from planes.cli.doctor.facts.kernel import FeatureState, KernelFeature, read_kernel
from tests.cli.doctor.doctored_node import DEFAULT, DoctoredNode, doctored_node
from tests.cli.doctor.test_held_records import leaving
from tests.support.command_line import Outcome, netplane
from tests.support.node.inside import inside
from tests.support.node.netns import run, unchanged_links, why_no_link_kind

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]
BRIDGE = {"type": "bridge", "master": "br1"}


@pytest.fixture
def node(tmp_path: Path) -> Iterator[DoctoredNode]:
    if reason := why_no_link_kind("macvlan"):
        pytest.skip(reason)
    with unchanged_links(), doctored_node(tmp_path) as made:
        yield made


def in_cluster(node: DoctoredNode) -> Outcome:
    """Run the command as on a node of a cluster whose API server is away."""
    argv = [one for one in node.argv if one not in {"--manifests", f"{node.root}/manifests"}]
    return inside(node.host.path, lambda: netplane(*argv, "--kubeconfig", "/nowhere"))


def test_nothing_is_wrong_with_a_healthy_node(node: DoctoredNode) -> None:
    (node.root / "state/addresses").mkdir()
    before = sorted(str(path) for path in node.root.rglob("*"))
    assert node.found() == []
    done = node.run()
    assert [one["check"] for one in done.json["notChecked"]] == ["certificates"]
    assert sorted(str(path) for path in node.root.rglob("*")) == before


def test_a_master_that_is_missing_is_found(node: DoctoredNode) -> None:
    node.plane(network={"type": "macvlan", "master": "eth9"})
    assert node.one()[:2] == ("masters", "error")


def test_a_master_that_is_down_is_found(node: DoctoredNode) -> None:
    node.host.ip("link", "set", "eth1", "down")
    assert node.one() == ("masters", "error", "eth1, the master of plane business, is down")


def test_a_master_without_carrier_is_found(node: DoctoredNode) -> None:
    node.host.ip("link", "add", "loose", "type", "veth", "peer", "name", "end")
    node.host.ip("link", "set", "loose", "up")
    node.plane(network={"type": "macvlan", "master": "loose"})
    assert "loose, the master of plane business, has no carrier" in node.one()[2]


def test_a_master_that_is_a_port_is_found(node: DoctoredNode) -> None:
    node.host.ip("link", "add", "br1", "type", "bridge")
    node.host.ip("link", "set", "eth1", "master", "br1")
    check, severity, what = node.one()
    assert (check, severity) == ("masters", "error")
    assert what == "eth1, the master of plane business, is a port of bridge br1"


def test_a_bridge_whose_card_is_down_is_found(node: DoctoredNode) -> None:
    node.host.ip("link", "add", "br1", "type", "bridge")
    # veth ends lead to pods: only a macvlan on it counts as a card here
    node.host.ip("link", "add", "card", "link", "eth1", "type", "macvlan", "mode", "passthru")
    node.host.ip("link", "set", "card", "master", "br1")
    node.plane(network=BRIDGE)
    assert "no port of br1, the bridge of plane business, passes frames: card" in node.one()[2]


def test_an_mtu_that_does_not_fit_the_master_is_found(node: DoctoredNode) -> None:
    node.plane(mtu=9000)
    assert node.one()[:2] == ("mtu", "error")


def test_the_nodes_own_uplink_is_found(node: DoctoredNode) -> None:
    node.plane(network={"type": "host-device", "master": "eth0"})
    assert node.one()[:2] == ("uplink", "error")


@pytest.mark.parametrize(
    ("kind", "feature"),
    [
        ("ipvlan", KernelFeature("CONFIG_IPVLAN", "ipvlan")),
        ("macvlan", KernelFeature("CONFIG_MACVLAN", "macvlan")),
    ],
)
def test_a_kernel_feature_that_is_missing_is_found_and_no_other(
    node: DoctoredNode, kind: str, feature: KernelFeature
) -> None:
    """What the doctor says of this kernel is what making a link says."""
    state = read_kernel().state_of(feature)
    if state is FeatureState.UNKNOWN:
        pytest.skip("the kernel shows neither its configuration nor its modules")
    node.plane(network={"type": kind, "master": "eth1"})
    found = [one[:2] for one in node.found()]
    assert found == ([("kernel", "error")] if why_no_link_kind(kind) else [])


@pytest.mark.parametrize(
    ("key", "value", "spec", "severity"),
    [
        ("ipv4/conf/all/rp_filter", "1", {}, "warning"),
        ("ipv4/conf/all/arp_ignore", "8", {}, "error"),
        ("ipv6/conf/all/disable_ipv6", "1", {"subnets": [{"cidr": "fd00:9::/64"}]}, "warning"),
    ],
)
def test_offending_sysctls_are_found(
    node: DoctoredNode, key: str, value: str, spec: dict[str, Any], severity: str
) -> None:
    node.plane(**spec)
    node.sysctl(key, value)
    check, found, what = node.one()
    assert (check, found) == ("sysctls", severity)
    assert key.replace("/", ".") in what


def test_two_interfaces_in_one_subnet_are_found(node: DoctoredNode) -> None:
    node.host.ip("address", "add", "192.0.2.6/24", "dev", "eth1")
    # ends of a veth pair lead to pods, where the host's interfaces are concerned
    node.host.ip("link", "add", "card", "link", "eth1", "type", "macvlan")
    node.host.ip("link", "add", "card2", "link", "eth1", "type", "macvlan")
    for number, name in enumerate(("card", "card2")):
        node.host.ip("address", "add", f"192.0.3.{number + 1}/24", "dev", name)
        node.host.ip("link", "set", name, "up")
    assert node.one()[2].startswith("card, card2 have addresses of 192.0.3.0/24")


def test_forwarding_that_is_off_while_pods_are_attached_is_found(node: DoctoredNode) -> None:
    gateway = {"type": "bridge", "isGateway": True, "ipam": {"type": "host-local"}}
    node.write("net.d/10-default.conflist", {**DEFAULT, "plugins": [gateway]})
    node.sysctl("ipv4/ip_forward", "0")
    assert node.found() == []
    (node.root / "state/journal/c1@eth0.json").touch()
    assert ("sysctls", "warning", "net.ipv4.ip_forward = 0") in node.found()


def test_on_a_node_of_a_cluster_a_file_before_ours_is_found(node: DoctoredNode) -> None:
    """The API server is away, which keeps no check of files from being made."""
    node.write("net.d/00-netplane.conflist", {**DEFAULT, "plugins": [{"type": "netplane"}]})
    assert "confdir" not in {one["check"] for one in in_cluster(node).json["findings"]}
    node.write("net.d/00-a.conflist", {**DEFAULT, "name": "other"})
    (found,) = [one for one in in_cluster(node).json["findings"] if one["check"] == "confdir"]
    assert found["severity"] == "error"
    assert found["mend"] == f"mv {node.root}/net.d/00-a.conflist {node.root}/net.d/10-a.conflist"


def test_a_plugin_that_is_missing_or_not_executable_is_found(node: DoctoredNode) -> None:
    chain = [*DEFAULT["plugins"], {"type": "calico"}]
    node.write("net.d/10-default.conflist", {**DEFAULT, "plugins": chain})
    assert node.one()[:2] == ("plugins", "error")
    node.executable("calico")
    assert node.found() == []
    (node.root / "bin/calico").chmod(0o644)
    assert node.one()[2].endswith("calico is not executable")


def test_address_files_that_nobody_owns_are_found(node: DoctoredNode) -> None:
    folder = node.root / "cni/networks/cbr0"
    folder.mkdir(parents=True)
    long_ago = time.time() - 3600
    # One that no other test of this machine gives to an interface, and that of eth0.
    for address in ("10.87.211.7", "192.0.2.5"):
        (folder / address).write_text("gone\r\neth0")
        os.utime(folder / address, (long_ago, long_ago))
    assert node.one() == (
        "addresses",
        "warning",
        f"{folder} has 1 address file that nobody owns: 10.87.211.7 (gone)",
    )


def test_a_journal_entry_that_cannot_leave_is_found(node: DoctoredNode) -> None:
    journal = node.root / "state/journal"
    entry = leaving("abc", time.time() - 7200)
    write_entry(entry_path(journal, entry.key), entry, is_new=True, is_synced=False)
    assert node.one()[:2] == ("journal", "error")


def test_three_subnets_on_one_bridge_are_found(node: DoctoredNode) -> None:
    for name, number in (("a", 1), ("b", 2)):
        subnet = [{"cidr": f"10.{number}.0.0/24"}]
        node.plane(name, network={"type": "bridge", "master": "cni0"}, subnets=subnet)
    check, severity, what = node.one()
    assert (check, severity) == ("bridges", "warning")
    assert what.startswith("bridge cni0 has 3 subnets: ")


def test_a_daemon_that_is_away_is_found(node: DoctoredNode) -> None:
    (node.root / "sock").unlink()
    assert node.one()[:2] == ("daemon", "error")


def test_a_manifest_that_is_wrong_is_found(node: DoctoredNode) -> None:
    node.plane("faulty", subnets=[{"cidr": "no network"}])
    assert ("networks", "warning") in {one[:2] for one in node.found()}


def on_node(node: DoctoredNode, *more: str, before: str) -> str:
    """Run the command by `ip netns exec`, whose mounts end with it; `before` makes some."""
    command = " ".join((sys.executable, "-m", "planes.cli", *node.argv, *more))
    script = f"{before} 2>/dev/null; {command} 2>/dev/null; true"
    return run("ip", "netns", "exec", node.host.name, "sh", "-c", script)


def test_while_the_api_server_is_away_the_default_network_is_checked(node: DoctoredNode) -> None:
    chain = [*DEFAULT["plugins"], {"type": "calico"}]
    node.write("net.d/00-netplane.conflist", {**DEFAULT, "plugins": [{"type": "netplane"}]})
    node.write("net.d/10-default.conflist", {**DEFAULT, "plugins": chain})
    done = in_cluster(node)
    found = {one["check"] for one in done.json["findings"]}
    assert found >= {"plugins", "api"}
    reasons = {one["check"]: one["reason"] for one in done.json["notChecked"]}
    assert {"networks", "masters", "plugins", "kernel"} <= reasons.keys()
    assert "/nowhere" in reasons["plugins"]


def checks_in(printed: str) -> list[str]:
    """Return what found something, but for a disk that is slow: that of a busy machine may be."""
    findings = json.loads(printed)["findings"]
    return [one["check"] for one in findings if "a durable write of" not in one["what"]]


def test_in_a_container_the_node_is_below_its_root(node: DoctoredNode) -> None:
    """Binaries and programs are looked up there, with paths as the node has them."""
    root = node.root / "host"
    root.mkdir()
    printed = on_node(node, "--host-root", str(root), before=f"mount --rbind / {root}")
    assert checks_in(printed) == []
    hidden = f"mount --rbind / {root}; mount -t tmpfs none {root}{node.root}/bin"
    printed = on_node(node, "--host-root", str(root), before=hidden)
    assert checks_in(printed) == ["plugins"]


def test_a_root_that_cannot_be_read_is_no_node_without_programs(node: DoctoredNode) -> None:
    printed = on_node(node, "--host-root", "/nowhere", before="true")
    assert checks_in(printed) == []
    reasons = {one["check"]: one["reason"] for one in json.loads(printed)["notChecked"]}
    assert {"kernel", "plugins", "disk"} <= reasons.keys()
    assert reasons["kernel"] == "the node's root cannot be read at /nowhere (--host-root)"


def test_fifos_and_folders_in_the_place_of_files_are_not_waited_for(node: DoctoredNode) -> None:
    for place in ("journal/x@eth0.json", "addresses", "spool"):
        os.mkfifo(node.root / "state" / place)
    for place in ("net.d/05-x.conf", "manifests/x.yaml", "bin/x"):
        os.mkfifo(node.root / place)
    done = node.run()
    assert {one["check"] for one in done.json["notChecked"]} >= {"addresses"}
    assert not [one for one in done.json["notChecked"] if "did not end" in one["reason"]]


@pytest.mark.parametrize(
    ("mount", "text"),
    [
        ("-o size=64k tmpfs STATE; dd if=/dev/zero of=STATE/x", "could not be written: No space"),
        ("-o ro tmpfs STATE", "is read-only"),
        ("-o nr_inodes=8 tmpfs STATE; cd STATE; touch a b c d e f g", "0 inodes left of 8"),
    ],
)
def test_a_disk_that_is_full_or_read_only_is_found(
    node: DoctoredNode, mount: str, text: str
) -> None:
    state = f"{node.root}/state"
    output = on_node(node, before=f"mount -t tmpfs {mount}".replace("STATE", state))
    assert text in output
    assert '"check": "disk"' in output
