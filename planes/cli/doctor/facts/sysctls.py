"""Sysctls of the node's own network namespace, and how its packet filter forwards."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
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
_EVERY: Final = ""
_NO_CONDITION: Final[tuple[list[str], ...]] = ([], ["-m", "physdev", "--physdev-is-bridged"])
"""On bridged frames."""


@dataclass(frozen=True, slots=True)
class NodeSysctls:
    """What the node is set to.

    Attributes:
        values: by name, without those that the kernel does not have.
        drops_forwarded: whether iptables drops bridged frames in FORWARD, where no rule accepts
            them; None where that cannot be read.
        accepted: bridges whose frames a rule accepts all the same.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    drops_forwarded: bool | None = None
    accepted: frozenset[str] = frozenset()

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
    return with_forward_chain(NodeSysctls(dict(_values(proc))), _forward_chain(tools))


def _values(proc: str) -> Iterator[tuple[str, str]]:
    for name in KEYS:
        path = os.path.join(proc, *name.split("."))
        with suppress(OSError):
            yield name, read_bounded(path, 256).decode("ascii", "replace").strip()


def with_forward_chain(sysctls: NodeSysctls, printed: str | None) -> NodeSysctls:
    """Return them with what `iptables -S FORWARD` printed; None where it could not be asked.

    Rules of chains that FORWARD jumps to are not looked at.
    """
    if printed is None:
        return sysctls
    lines = [_words(line) for line in printed.splitlines()]
    accepted = frozenset(name for line in lines if (name := _accepted(line)) is not None)
    drops = ["-P", "FORWARD", "DROP"] in lines and _EVERY not in accepted
    return replace(sysctls, drops_forwarded=drops, accepted=accepted - {_EVERY})


def _forward_chain(tools: Tools) -> str | None:
    try:
        done = tools.execute(_FORWARD)
    except PlanesError:
        return None
    return None if done.status else done.output


def _words(line: str) -> list[str]:
    try:
        words = shlex.split(line)
    except ValueError:
        return []
    if "--comment" in words:
        at = words.index("--comment")
        del words[at - 2 : at + 2]  # -m comment --comment TEXT
    return words


def _accepted(rule: Sequence[str]) -> str | None:
    """Return the bridge whose frames a rule accepts, `_EVERY` for those of all; None for none."""
    if rule[:2] != ["-A", "FORWARD"] or rule[-2:] != ["-j", "ACCEPT"]:
        return None
    conditions = rule[2:-2]
    if conditions in _NO_CONDITION:
        return _EVERY
    keys, names = set(conditions[::2]), set(conditions[1::2])
    # A bridged frame comes in by its bridge and goes out by it.
    return names.pop() if keys <= {"-i", "-o"} and len(names) == 1 else None
