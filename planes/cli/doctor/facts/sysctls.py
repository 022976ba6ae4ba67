"""Sysctls of the node's own network namespace, and how its packet filter forwards."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from cni.net.execute import Tools
from planes.cli.doctor.facts.reading import read_bounded
from planes.model.errors import PlanesError

KEYS: Final = (
    "net.ipv4.ip_forward",
    "net.ipv4.conf.all.rp_filter",
    "net.ipv4.conf.default.rp_filter",
    "net.ipv4.conf.all.arp_ignore",
    "net.ipv4.conf.default.arp_ignore",
    "net.ipv6.conf.all.disable_ipv6",
    "net.ipv6.conf.default.disable_ipv6",
    "net.ipv6.conf.all.forwarding",
    "net.bridge.bridge-nf-call-iptables",
    "net.netfilter.nf_conntrack_count",
    "net.netfilter.nf_conntrack_max",
)
_PROC: Final = "/proc/sys"
_FORWARD: Final = ("iptables", "-w", "2", "-S", "FORWARD")


@dataclass(frozen=True, slots=True)
class NodeSysctls:
    """What the node is set to.

    Attributes:
        values: by name, without those that the kernel does not have.
        drops_forwarded: whether iptables drops what no rule accepts in FORWARD; None where that
            cannot be read.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    drops_forwarded: bool | None = None

    def number(self, name: str) -> int | None:
        """Return a value that is a whole number; None where there is none."""
        text = self.values.get(name, "")
        return int(text) if text.isascii() and text.isdecimal() else None


def read_sysctls(tools: Tools, proc: str = _PROC) -> NodeSysctls:
    """Read them.

    Args:
        tools: the node's iptables.
        proc: where sysctls are.
    """
    return NodeSysctls(dict(_values(proc)), _drops_forwarded(tools))


def _values(proc: str) -> Iterator[tuple[str, str]]:
    for name in KEYS:
        path = os.path.join(proc, *name.split("."))
        with suppress(OSError):
            yield name, read_bounded(path, 256).decode("ascii", "replace").strip()


def _drops_forwarded(tools: Tools) -> bool | None:
    try:
        done = tools.execute(_FORWARD)
    except PlanesError:
        return None
    if done.status:
        return None
    return any(line.strip() == "-P FORWARD DROP" for line in done.output.splitlines())
