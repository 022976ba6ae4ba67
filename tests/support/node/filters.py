"""What tests of packet filter rules share: a routed node, its rules, sockets in namespaces."""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cni.net import namespaces
from cni.plugins.plugin import Call
from tests.support.node.netns import CNI_BIN_DIR, Namespace, Node

JsonObject = dict[str, Any]

CURRENT_BIN_DIR = os.environ.get("NETPLANE_TEST_CURRENT_CNI_BIN_DIR", "build/reference/bin")
"""Where the newest release of the reference plugins is; Debian's are older."""

POD = {4: "10.88.0.2", 6: "fd88::2"}
HOST = {4: "192.0.2.1", 6: "2001:db8::1"}
FAR = {4: "192.0.2.2", 6: "2001:db8::2"}
BRIDGE = "br0"
_LENGTH = {4: 24, 6: 64}
_RELEASE = re.compile(rb"github.com/containernetworking/plugins\tv(\d+)\.(\d+)\.")
_COUNTERS = re.compile(r"\[\d+:\d+\]|packets \d+ bytes \d+|# (?:Generated|Completed).*")


def why_no_current_portmap(release: tuple[int, int] = (1, 6)) -> str:
    """Return why there is no portmap of a release or a later one; "" where there is.

    Args:
        release: the first two numbers; Go writes the module's version into its programs.
    """
    path = f"{CURRENT_BIN_DIR}/portmap"
    if not os.access(path, os.X_OK):
        return f"no current portmap in {CURRENT_BIN_DIR}; {CNI_BIN_DIR} has none with nftables"
    with open(path, "rb") as program:
        found = _RELEASE.search(program.read())
    if found is not None and (int(found[1]), int(found[2])) < release:
        return f"{path} is older than {release[0]}.{release[1]}"
    return ""


def wire(node: Node) -> None:
    """Put the sandbox behind a bridge of the host, and an address on the host's eth1."""
    host, pod = node.host, node.sandbox
    host.ip("link", "add", BRIDGE, "type", "bridge")
    host.ip("link", "add", "port0", "type", "veth", "peer", "name", "eth0", "netns", pod.name)
    host.ip("link", "set", "port0", "master", BRIDGE, "up")
    # As hairpinMode of the bridge plugin: br_netfilter redirects packets before they are routed.
    host.ip("link", "set", "port0", "type", "bridge_slave", "hairpin", "on")
    host.ip("link", "set", BRIDGE, "up")
    pod.ip("link", "set", "lo", "up")
    pod.ip("link", "set", "eth0", "up")
    gateways = {4: "10.88.0.1", 6: "fd88::1"}
    for version in (4, 6):
        _address(host, BRIDGE, gateways[version], version)
        _address(pod, "eth0", POD[version], version)
        _address(host, "eth1", HOST[version], version)
        _address(node.far, "eth1", FAR[version], version)
        pod.ip(f"-{version}", "route", "add", "default", "via", gateways[version])
    for key in ("ipv4.ip_forward", "ipv6.conf.all.forwarding"):
        host.run("sysctl", "-qw", f"net.{key}=1")
    for place, link in ((host, BRIDGE), (host, "eth1"), (host, "port0"), (pod, "eth0")):
        _wait_until_up(place, link)


def _wait_until_up(place: Namespace, link: str) -> None:
    """Wait for the carrier, without which IPv6 takes no address as its own."""
    for _attempt in range(100):
        if place.ip_json("link", "show", link)[0]["operstate"] == "UP":
            return
        time.sleep(0.02)
    raise AssertionError(f"{link} does not come up")


def _address(place: Namespace, link: str, address: str, version: int) -> None:
    options = ["nodad"] if version == 6 else []
    place.ip("addr", "add", f"{address}/{_LENGTH[version]}", "dev", link, *options)


def result(version: str = "1.0.0", *families: int) -> JsonObject:
    """Return the result of the bridge plugin for such a sandbox."""
    return {
        "cniVersion": version,
        "interfaces": [
            {"name": BRIDGE, "mac": "02:00:00:00:00:01"},
            {"name": "port0", "mac": "02:00:00:00:00:02"},
            {"name": "eth0", "mac": "02:00:00:00:00:03", "sandbox": "/run/netns/x"},
        ],
        "ips": [
            {"address": f"{POD[family]}/{_LENGTH[family]}", "interface": 2}
            | ({"version": str(family)} if version < "1" else {})
            for family in families or (4, 6)
        ],
        "dns": {},
    }


def portmap(*mappings: JsonObject, version: str = "1.0.0", **more: Any) -> JsonObject:
    """Return a netconf of portmap."""
    return {
        "cniVersion": version,
        "name": "testnet",
        "type": "portmap",
        "runtimeConfig": {"portMappings": list(mappings)},
        "prevResult": result(version),
        **more,
    }


def mapping(host: int, container: int, protocol: str = "tcp", address: str = "") -> JsonObject:
    """Return one port mapping."""
    found: JsonObject = {"hostPort": host, "containerPort": container, "protocol": protocol}
    return found | ({"hostIP": address} if address else {})


def call(node: Node, container_id: str = "c0ffee") -> Call:
    """Return the call for the node's sandbox."""
    return Call(container_id, node.sandbox.path, "eth0")


def iptables(host: Namespace, table: str = "nat") -> list[str]:
    """Return rules and chains of a table of both families, in their order."""
    texts = [host.run(f"{tool}-save", "-t", table) for tool in ("iptables", "ip6tables")]
    lines = _COUNTERS.sub("", "\n".join(texts)).splitlines()
    return [line for line in lines if line.startswith(("-A", ":CNI"))]


def nft(host: Namespace) -> list[str]:
    """Return the tables of nftables that portmap has, without counters."""
    text = host.run("nft", "-s", "list", "ruleset")
    found: list[str] = []
    is_ours = False
    for line in text.splitlines():
        if line.startswith("table "):
            is_ours = "cni_hostport" in line
        if is_ours:
            found.append(line)
    return found


def socket_in(place: Namespace, family: int, kind: int) -> socket.socket:
    """Open a socket in a namespace; it stays there."""
    made: list[socket.socket] = []

    def enter() -> None:
        fd = namespaces.open_netns(place.path)
        try:
            namespaces.enter(fd)
            made.append(socket.socket(family, kind))
        finally:
            os.close(fd)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    made[0].settimeout(3)
    return made[0]


@contextmanager
def server(place: Namespace, address: str, port: int, kind: int) -> Iterator[socket.socket]:
    """Listen on a port of a namespace for a while."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket_in(place, family, kind) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        if kind == socket.SOCK_STREAM:
            made.listen()
        yield made


def connects(place: Namespace, address: str, port: int, listener: socket.socket) -> str:
    """Connect by TCP, exchange a word each way; return the address that the listener saw.

    Raises:
        OSError: the connection is refused, or nothing answers.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket_in(place, family, socket.SOCK_STREAM) as client:
        client.connect((address, port))
        accepted, peer = listener.accept()
        with accepted:
            accepted.settimeout(3)
            client.sendall(b"ping")
            assert accepted.recv(16) == b"ping"
            accepted.sendall(b"pong")
            assert client.recv(16) == b"pong"
    return str(peer[0])
