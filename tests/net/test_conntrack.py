"""Tracked UDP connections are forgotten by port, and no others."""

from __future__ import annotations

import socket

import pytest

from cni.net.conntrack import forget_udp_connections
from cni.net.kernel import Kernel
from tests.support.node.filters import HOST, socket_in, wire
from tests.support.node.netns import Node

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(60)]


def tracked(node: Node) -> set[tuple[str, int]]:
    """Return protocol and port of the tracked connections to the node."""
    text = node.host.run("cat", "/proc/net/nf_conntrack")
    found = set()
    for line in text.splitlines():
        words = line.split()
        ports = [one.partition("=")[2] for one in words if one.startswith("dport=")]
        if ports:
            found.add((words[2], int(ports[0])))
    return found


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("ports", [{5353}, set(range(5353, 5383))], ids=["one", "many"])
async def test_connections_to_the_ports_are_forgotten(
    kernel: Kernel, a_node: Node, version: int, ports: set[int]
) -> None:
    wire(a_node)
    for tool in ("iptables", "ip6tables"):  # a rule that needs it switches tracking on
        a_node.host.run(tool, "-A", "INPUT", "-m", "conntrack", "--ctstate", "INVALID")
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    for port in (5353, 5354, 5390):
        with socket_in(a_node.far, family, socket.SOCK_DGRAM) as client:
            client.sendto(b"x", (HOST[version], port))
    before = tracked(a_node)
    assert {("udp", 5353), ("udp", 5354), ("udp", 5390)} <= before
    await kernel.run(lambda _worker: forget_udp_connections(version, ports))
    gone = {("udp", port) for port in ports}
    assert tracked(a_node) == before - gone
