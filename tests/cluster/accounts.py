"""What is on a node because of pods: counted before and after, zero must be left."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.cluster.lab.node import Node

Account = Mapping[str, frozenset[str]]

# Files that say nothing about a pod: a lock, the address that was last given out, what was held
# when the node took a block (it goes with the block), that a plane's records are complete, the boot
# that was looked at, and which networks had addresses here.
_UNCOUNTED = (
    *("/lock", "/last_reserved_ip.", "/daemon.lock", "/kept-static/", "/.complete"),
    *("/netplane/boot", "/netplane/host-local-networks"),
)


def of_pods(node: Node) -> Account:
    """Interfaces, sandboxes, addresses, journals, spooled calls and CNI results of a node."""
    return {
        "interfaces": frozenset(_lines(node, "ls", "/sys/class/net")),
        "network namespaces": frozenset(_lines(node, "ls", "/run/netns")),
        "journals and spool": _files(node, "/var/lib/netplane"),
        "addresses and results": _files(node, "/var/lib/cni"),
        "packet filter": frozenset(_rules(node)),
    }


def left(before: Account, after: Account) -> list[str]:
    """Return one line for each thing that was not there before."""
    return [f"{what}: {item}" for what in before for item in sorted(after[what] - before[what])]


def disk(node: Node, places: Iterable[str]) -> dict[str, str]:
    """{path: mode and digest} of all files and folders below places of a node's disk."""
    found: dict[str, str] = {}
    for place in places:
        for path, folders, files in os.walk(node.disk(place)):
            for name in (*folders, *files):
                here = Path(path) / name
                key = place + str(here).removeprefix(str(node.disk(place)))
                found[key] = _described(here)
    return found


def _described(path: Path) -> str:
    info = path.lstat()
    mode = stat.filemode(info.st_mode)
    if path.is_symlink():
        return f"{mode} -> {path.readlink()}"
    if path.is_file():
        return f"{mode} {hashlib.sha256(path.read_bytes()).hexdigest()}"
    return mode


def _files(node: Node, place: str) -> frozenset[str]:
    found = _lines(node, "sh", "-c", f"find {place} -type f 2>/dev/null || true")
    return frozenset(one for one in found if not any(part in one for part in _UNCOUNTED))


def _rules(node: Node) -> list[str]:
    lines = _lines(node, "nft", "--stateless", "list", "ruleset")  # without counters
    return [line.strip() for line in lines if " comment " in line or "jump" in line]


def _lines(node: Node, *argv: str) -> list[str]:
    return node.run(*argv).splitlines()
