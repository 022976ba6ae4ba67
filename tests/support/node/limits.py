"""Bandwidth limits on a node: what the kernel has for them, and floods of packets."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from typing import Any

from cni.native.types.bandwidth_conf import ifb_names
from tests.support.node.chained import CONTAINER, HOST_LINK, conf_of, plug_in, previous
from tests.support.node.netns import Namespace, Node, namespace

POD, GATEWAY = "10.9.0.2", "10.9.0.1"
INGRESS = {"ingressRate": 80_000, "ingressBurst": 128_000}
EGRESS = {"egressRate": 80_000, "egressBurst": 128_000}
IFB = ifb_names("testnet", CONTAINER, "eth0")[0]
PACKETS = 200
_BYTES = 1000
# 16 packets are the burst and 16 more wait; a slow machine may pass some by the rate, 10 a second.
LIMITED = range(10, 120)
_FLOOD = (
    "import socket, sys\n"
    "sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
    f"for _ in range({PACKETS}):\n"
    f"    sender.sendto(bytes({_BYTES - 42}), (sys.argv[1], 9))\n"
)


@cache
def why_no_qdiscs(*kinds: str) -> str:
    """Return why this kernel cannot limit bandwidth; "" where it can."""
    with namespace("probe") as probe:
        probe.ip("link", "add", "x0", "type", "veth", "peer", "name", "x1")
        for kind in kinds:
            argv = {
                "tbf": "qdisc add dev x0 root tbf rate 1mbit burst 32k limit 35k",
                "ingress": "qdisc add dev x0 ingress",
                "u32": "filter add dev x0 parent ffff: u32 match u32 0 0 action mirred"
                " egress redirect dev x1",
                "htb": "qdisc add dev x1 root htb",
            }[kind]
            done = subprocess.run(
                ["tc", "-n", probe.name, *argv.split()], capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                return f"kernel has no {kind}: {done.stderr.strip()}"
    return ""


def plug_in_pod(node: Node) -> None:
    """Make `eth0` of the pod, with the host as its gateway."""
    plug_in(node, f"{POD}/24")
    node.host.ip("addr", "add", f"{GATEWAY}/24", "dev", HOST_LINK)
    node.sandbox.ip("route", "add", "default", "via", GATEWAY)


def limited(node: Node, **more: Any) -> dict[str, Any]:
    return conf_of("bandwidth", previous(node, f"{POD}/24"), **more)


def arrived(receiver: Namespace) -> int:
    """Return the UDP packets that have reached a namespace, where nobody listens."""
    names, values = [
        line.split()
        for line in receiver.run("cat", "/proc/net/snmp").splitlines()
        if "Udp:" in line
    ][:2]
    return int(dict(zip(names, values, strict=True))["NoPorts"])


def flood(sender: Namespace, receiver: Namespace, address: str) -> int:
    """Send packets; return how many have arrived when the last one was sent."""
    before = arrived(receiver)
    sender.run(sys.executable, "-c", _FLOOD, address)
    return arrived(receiver) - before
