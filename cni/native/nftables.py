"""Masquerading by nftables: one rule per address in a table that all plugins share.

Table, chains, rules and comments are those of the reference plugins. Every change is one `nft`
transaction; rules of an attachment are found by the hash their comment begins with.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from cni.net.execute import Tools
from planes.model.addresses import IPInterface
from planes.model.errors import Internal

_TABLE = "inet cni_plugins_masquerade"
_CHAIN = f"{_TABLE} masq_checks"
_POSTROUTING = f"{_TABLE} postrouting"
_COMMENT_LENGTH = 128
_HASH_LENGTH = 16
_TABLE_COMMENT = "Masquerading for plugins from github.com/containernetworking/plugins"
_CHAIN_COMMENT = (
    "Masquerade traffic from certain IPs to any (non-multicast) IP outside their subnet"
)
_RULE = re.compile(r'comment "(?P<comment>[^"]*)".*# handle (?P<handle>\d+)$')


def instance_hash(network: str, ifname: str, container_id: str) -> str:
    """Give what the comments of an attachment's rules begin with."""
    return f"{_hash(network)}-{_hash(f'{ifname}:{container_id}')}"


def add_rules(
    tools: Tools,
    network: str,
    ifname: str,
    container_id: str,
    addresses: Sequence[IPInterface],
) -> None:
    """Masquerade what the addresses send out of their networks; blocks.

    Raises:
        PlanesError: the tool fails.
    """
    hashed = instance_hash(network, ifname, container_id)
    named = f"{hashed}, net: {network}, if: {ifname}, id: {container_id}".replace('"', "")
    comment = named[:_COMMENT_LENGTH]
    lines = [
        f'add table {_TABLE} {{ comment "{_TABLE_COMMENT}" ; }}',
        f'add chain {_CHAIN} {{ comment "{_CHAIN_COMMENT}" ; }}',
        f"add chain {_POSTROUTING} {{ type nat hook postrouting priority 100 ; }}",
        f"flush chain {_POSTROUTING}",
        f"add rule {_POSTROUTING} ip daddr == 224.0.0.0/4 return",
        f"add rule {_POSTROUTING} ip6 daddr == ff00::/8 return",
        f"add rule {_POSTROUTING} goto masq_checks",
        *_deletions(tools, hashed),
    ]
    for one in addresses:
        family = "ip" if one.version == 4 else "ip6"
        lines.append(
            f"add rule {_CHAIN} {family} saddr == {one.ip} {family} daddr != {one.network}"
            f' masquerade comment "{comment}"'
        )
    _run(tools, lines)


def remove_rules(tools: Tools, network: str, ifname: str, container_id: str) -> None:
    """Take away the rules of an attachment, whatever its addresses were; blocks.

    Raises:
        PlanesError: the tool fails.
    """
    lines = _deletions(tools, instance_hash(network, ifname, container_id))
    if lines:
        _run(tools, lines)


def has_chain(tools: Tools, version: int, chain: str) -> bool:
    """Tell whether the nat table that iptables-nft keeps has a chain; blocks.

    Raises:
        NotFound: nft is not installed.
    """
    family = "ip" if version == 4 else "ip6"
    return tools.execute(["nft", "list", "chain", family, "nat", chain]).status == 0


def _hash(text: str) -> str:
    return hashlib.sha512(text.encode()).hexdigest()[:_HASH_LENGTH]


def _deletions(tools: Tools, hashed: str) -> list[str]:
    found = tools.execute(["nft", "-a", "list", "chain", *_CHAIN.split()])
    if found.status != 0:  # no such chain: nothing of ours, or of anybody, is in it
        return []
    matches = [_RULE.search(line) for line in found.output.splitlines()]
    return [
        f"delete rule {_CHAIN} handle {match['handle']}"
        for match in matches
        if match is not None and match["comment"].startswith(hashed)
    ]


def _run(tools: Tools, lines: Sequence[str]) -> None:
    done = tools.execute(["nft", "-f", "-"], "\n".join([*lines, ""]))
    if done.status != 0:
        raise Internal(f"cannot change the masquerading rules: {done.complaint}")
