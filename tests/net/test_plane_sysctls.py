"""The kernel settings that a plane can set are those that a network namespace has for itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from planes.model.spec.sysctls import is_of_a_pod
from tests.support.node.netns import Node

pytestmark = pytest.mark.kernel

_LIST = """
import os, sys
for place, _, names in os.walk("/proc/sys/net"):
    for name in names:
        path = os.path.join(place, name)
        if os.stat(path).st_mode & 0o200:
            print(path.removeprefix("/proc/sys/").replace("/", "."))
"""


def of_a_pod(node: Node) -> set[str]:
    """Return what root can write in a sandbox, by the names that tuning takes."""
    command = ["nsenter", f"--net={node.sandbox.path}", sys.executable, "-c", _LIST]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def of_the_machine() -> set[str]:
    found = (Path(place) / name for place, _, names in os.walk("/proc/sys/net") for name in names)
    return {str(path).removeprefix("/proc/sys/").replace("/", ".") for path in found}


def test_what_only_the_machine_has_cannot_be_set(a_node: Node) -> None:
    machines = {name for name in of_the_machine() - of_a_pod(a_node) if ".IFNAME." not in name}
    assert "net.core.rmem_max" in machines
    links = {name for name in machines if ".conf." in name or ".neigh." in name}
    own_links = {name for name in links if ".default." not in name and ".all." not in name}
    assert [name for name in sorted(machines - own_links) if is_of_a_pod(name)] == []


def test_what_a_pod_has_can_be_set_but_for_a_few_of_core_bridge_and_log(a_node: Node) -> None:
    refused = {name for name in of_a_pod(a_node) if not is_of_a_pod(name)}
    left_out = (
        "net.bridge.",
        "net.netfilter.nf_log",
        "net.netfilter.nf_hooks",
        "net.core.rps_default_mask",
        "net.core.tstamp_allow_data",
    )
    rest = {name for name in refused if not name.startswith(left_out)}
    assert [name for name in sorted(rest) if ".neigh.default." not in name] == []


@pytest.mark.parametrize(
    "name",
    [
        "net.core.rmem_max",
        "net.core.netdev_max_backlog",
        "net.ipv4.tcp_mem",
        "net.ipv4.neigh.default.gc_thresh1",
        "net.ipv4.conf.eth0/1.arp_filter",
        "net..kernel",
        "kernel.panic",
        "net.ipv4.conf.IFNAME.arp_filter\n",
    ],
)
def test_settings_of_the_node_are_told_apart_on_any_kernel(name: str) -> None:
    assert not is_of_a_pod(name)


@pytest.mark.parametrize(
    "name",
    [
        "net.ipv4.conf.IFNAME.arp_filter",
        "net.ipv6.conf.all.disable_ipv6",
        "net.ipv4.neigh.IFNAME.gc_stale_time",
        "net.core.somaxconn",
        "net.ipv4.tcp_keepalive_time",
        "net.netfilter.nf_conntrack_tcp_timeout_established",
    ],
)
def test_settings_of_a_pod_can_be_set(name: str) -> None:
    assert is_of_a_pod(name)
