"""Everything that a plugin may leave in a namespace, as lines, so that a difference is one line.

Names, MACs and handles of chance are replaced; what a clock or a counter says is left out.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.node.inside import inside
from tests.support.node.netlink_sight import has_queues, objects, port_vlans
from tests.support.node.netns import Namespace, normalised

_VOLATILE = {
    "qdisc": "bytes packets drops overlimits requeues backlog qlen",
    "filter": "bytes packets installed last_used used_hw_stats",
}
_SYSCTLS = {
    "ipv4/conf": "arp_notify arp_filter route_localnet forwarding log_martians",
    "ipv6/conf": "accept_ra accept_dad enhanced_dad disable_ipv6 keep_addr_on_down ndisc_notify"
    " optimistic_dad forwarding",
}
"""Of each interface."""
_COUNTS = re.compile(r"\[\d+:\d+\]|packets \d+ bytes \d+|# (?:Generated|Completed|Warning).*")
_OWN_TABLES = re.compile(r"table ip6? (?:nat|filter|mangle|raw) \{")
"""Of iptables itself: looking already makes them."""
_OWN_CHAINS = re.compile(r"[*]\w+$|:[A-Z]+ ACCEPT|COMMIT$")
"""What iptables-save prints of a table without rules, once anybody has looked at it."""
_RECORD = re.compile(r"[: ]CNI-FW-[0-9a-f]")
"""Our `firewall` keeps addresses in a chain that nothing leads to."""


def seen(space: Namespace, *, with_rules: bool, with_vlans: bool) -> set[str]:
    """Return what is in a namespace."""
    found = [*objects(space.path), *_qdiscs(space), *(port_vlans(space.path) if with_vlans else ())]
    lines = {f"{kind} {json.dumps(one, sort_keys=True)}" for kind, one in found}
    lines |= set(inside(space.path, _sysctls))
    if with_rules:
        lines |= set(_rules(space))
    return {normalised(line) for line in lines}


def files(directory: Path) -> set[str]:
    """Return the files below a directory, with modes and contents."""
    return {
        f"file {path.relative_to(directory)} {path.stat().st_mode:o} {path.read_bytes()!r}"
        for path in directory.rglob("*")
        if path.is_file()
    }


def _qdiscs(space: Namespace) -> Iterator[tuple[str, Any]]:
    if not has_queues(space.path):
        return
    tc = ["tc", "-n", space.name, "-j", "-b", "-"]
    qdiscs = _batch(tc, ["qdisc show"])[0]
    yield from (("qdisc", _kept("qdisc", one)) for one in qdiscs if one["kind"] != "noqueue")
    for filters in _batch(tc, [f"filter show dev {dev} parent ffff:" for dev in _policed(qdiscs)]):
        yield from (("filter", _deep("filter", one)) for one in filters)


def _policed(qdiscs: list[dict[str, Any]]) -> list[str]:
    return [one["dev"] for one in qdiscs if one["kind"] == "ingress"]


def _batch(command: list[str], lines: list[str]) -> list[list[dict[str, Any]]]:
    if not lines:
        return []
    done = subprocess.run(
        command, input="\n".join(lines), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    decoder, text, found = json.JSONDecoder(), done.stdout, []
    while text := text.lstrip():
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:]
    return found


def _kept(kind: str, one: dict[str, Any]) -> dict[str, Any]:
    gone = _VOLATILE[kind].split()
    return {key: value for key, value in one.items() if key not in gone}


def _deep(kind: str, one: Any) -> Any:
    if isinstance(one, dict):
        return {key: _deep(kind, value) for key, value in _kept(kind, one).items()}
    return [_deep(kind, each) for each in one] if isinstance(one, list) else one


def _sysctls() -> list[str]:
    root = Path("/proc/sys/net")
    paths = [root / "ipv4/ip_forward"]
    for folder, names in _SYSCTLS.items():
        for interface in sorted(os.listdir(root / folder)):
            paths += [root / folder / interface / name for name in names.split()]
    found = [path for path in paths if path.exists()]  # some are those of newer kernels
    return [f"sysctl {path.relative_to(root)}:{path.read_text().strip()}" for path in found]


def _rules(space: Namespace) -> Iterator[str]:
    for tool in ("iptables-save", "ip6tables-save"):
        for line in map(str.strip, _COUNTS.sub("", space.run(tool)).splitlines()):
            if line and not _OWN_CHAINS.match(line) and not _RECORD.search(line):
                yield f"{tool} {line}"
    table = ""
    for line in _COUNTS.sub("", space.run("nft", "list", "ruleset")).splitlines():
        table = line if line.startswith("table") else table
        if line.strip() and not _OWN_TABLES.search(table):
            yield f"nft {table.strip(' {')}: {line.strip()}"
