"""The demo's two nodes and the wires between them, as network namespaces of this machine.

Each node has eth0 (the underlay) and eth1 to eth3 without addresses. Each of these is one Ethernet
segment across the nodes: a bridge in a namespace of its own. Invariant: `clear` removes everything
called `netplane-demo-…`, also after a demo that was killed.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from planes.cli.interrupts import held_back
from planes.model.errors import Internal, Unavailable

PREFIX: Final = "netplane-demo-"  # not "np-…": namespaces of standalone pods begin so
WIRES: Final = PREFIX + "wires"
NETNS_FOLDER: Final = Path("/run/netns")


@dataclass(frozen=True, slots=True)
class Node:
    """A namespace that serves as a node.

    Attributes:
        name: the node's name, e.g. `node1`.
        number: 1, 2, …, part of its addresses.
    """

    name: str
    number: int

    @property
    def netns(self) -> str:
        """Return the name of the namespace for `ip netns`."""
        return PREFIX + self.name

    @property
    def address(self) -> str:
        """Return the underlay address of its eth0."""
        return f"172.30.0.{10 + self.number}"

    @property
    def pod_subnet(self) -> str:
        """Return the pod subnet of the node, as Flannel leases one."""
        return f"10.244.{self.number}.0/24"


SEGMENTS: Final = range(4)
NODES: Final = (Node("node1", 1), Node("node2", 2))


def build() -> None:
    """Make the nodes and their wires.

    Raises:
        Unavailable: the kernel or the container does not permit it.
    """
    for netns in (WIRES, *(node.netns for node in NODES)):
        _ip("netns", "add", netns)
        _ip("-n", netns, "link", "set", "lo", "up")
    wires = [f"link add seg{segment} up type bridge" for segment in SEGMENTS]
    _batch(WIRES, wires)
    for node in NODES:
        _connect(node)


def _connect(node: Node) -> None:
    lines = []
    for segment in SEGMENTS:
        port = f"n{node.number}e{segment}"
        lines.append(f"link add {port} type veth peer name eth{segment} netns {node.netns}")
        lines.append(f"link set {port} master seg{segment} up")
    _batch(WIRES, lines)
    others = [other for other in NODES if other is not node]
    _batch(
        node.netns,
        [f"link set eth{segment} up" for segment in SEGMENTS]
        + [f"addr add {node.address}/24 dev eth0"]
        + [f"route add {other.pod_subnet} via {other.address}" for other in others],
    )


def clear() -> None:
    """Remove every namespace of the demo, with all that is in it."""
    for netns in leftovers():
        _ip("netns", "delete", netns)


def add_sandbox(netns: str) -> None:
    """Make a namespace for a container, with its loopback up."""
    _ip("netns", "add", netns)
    _ip("-n", netns, "link", "set", "lo", "up")


def remove_sandbox(netns: str) -> None:
    """Remove such a namespace, if there is one."""
    if (NETNS_FOLDER / netns).exists():
        _ip("netns", "delete", netns)


def leftovers() -> list[str]:
    """Return the demo's namespaces that exist now."""
    if not NETNS_FOLDER.is_dir():
        return []
    return sorted(path.name for path in NETNS_FOLDER.iterdir() if path.name.startswith(PREFIX))


def inside(netns: str, *command: str) -> list[str]:
    """Return the command line that runs a command in a namespace.

    It uses nsenter: `ip netns exec` makes a mount namespace, in which namespaces made later could
    be invisible.
    """
    return ["nsenter", f"--net={NETNS_FOLDER / netns}", "--", *command]


def links(netns: str) -> list[dict[str, Any]]:
    """Return the interfaces of a namespace with their addresses, as `ip -json` prints them."""
    found = json.loads(_ip("-n", netns, "-json", "-details", "address", "show") or "[]")
    return [link for link in found if link]


def kernel_has(kind: str) -> bool:
    """Report whether the kernel can make links of this kind, by making one."""
    netns = PREFIX + "probe"
    _ip("netns", "add", netns)
    try:
        _batch(netns, ["link add pm0 type veth peer name pm1"])
        made = _run(["ip", "-n", netns, "link", "add", "link", "pm0", "name", "p0", "type", kind])
        return made.returncode == 0
    finally:
        _ip("netns", "delete", netns)


def _batch(netns: str, lines: Sequence[str]) -> None:
    done = _run(["ip", "-n", netns, "-batch", "-"], "\n".join(lines) + "\n")
    if done.returncode:
        raise Unavailable(
            f"cannot set up the namespace {netns}: {_first_line(done.stderr)}",
            remedy="the demo needs veth pairs and bridges in this kernel",
        )


def _ip(*words: str) -> str:
    done = _run(["ip", *words])
    if done.returncode:
        raise Internal(f"cannot run ip {' '.join(words)}: {_first_line(done.stderr)}")
    return done.stdout


def _run(command: Sequence[str], text: str = "") -> subprocess.CompletedProcess[str]:
    with held_back():
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "no reason given")
