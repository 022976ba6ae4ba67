"""What the machine looks like from outside: compared before and after the whole suite."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

WATCHED_FOLDERS = (
    "/run/netns",
    "/run/netplane",
    "/var/lib/netplane",
    "/var/lib/cni",
    "/etc/cni/net.d",
    "/opt/cni/bin",
)


def snapshot() -> Mapping[str, frozenset[str]]:
    """Interfaces, namespaces, rules and files of the namespace the tests run in."""
    return {
        "interfaces": frozenset(os.listdir("/sys/class/net")),
        "iptables": _rules("iptables-save", "-t", "nat") | _rules("iptables-save", "-t", "filter"),
        "nftables": _rules("nft", "list", "ruleset"),
        "files": frozenset(_files()),
        "children": _children(),
    }


def differences(
    before: Mapping[str, frozenset[str]], after: Mapping[str, frozenset[str]]
) -> list[str]:
    """Return one line for each thing that came or went."""
    lines = []
    for what, was in before.items():
        lines += [f"{what}: left behind: {item}" for item in sorted(after[what] - was)]
        lines += [f"{what}: gone: {item}" for item in sorted(was - after[what])]
    return lines


def _rules(*command: str) -> frozenset[str]:
    """Rules without counters and comments; listing iptables may itself create empty chains."""
    if os.geteuid() != 0 or shutil.which(command[0]) is None:
        return frozenset()
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = (line.strip() for line in run.stdout.splitlines())
    return frozenset(
        line for line in lines if line.startswith("-A") or " comment " in line or "jump" in line
    )


def _files() -> list[str]:
    found = []
    for folder in WATCHED_FOLDERS:
        for path, folders, files in os.walk(folder):
            found += [str(Path(path) / name) for name in (*folders, *files)]
    return found


def _children() -> frozenset[str]:
    """Processes whose parent is this one: a daemon a test forgot to stop."""
    mine = str(os.getpid())
    found = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:80]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if stat[1] == mine and command:
            found.add(command.strip())
    return frozenset(found)
