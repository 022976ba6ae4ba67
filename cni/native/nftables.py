"""Masquerading by nftables: one rule per address in a table that all plugins share.

Table, chains, rules and comments are those of the reference plugins. Every change is one `nft`
transaction; rules of an attachment are found by the hash their comment begins with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from cni.native import nft_rules
from cni.net.execute import Tools
from planes.model.addresses import IPInterface

_TABLE = "inet cni_plugins_masquerade"
_CHAIN = f"{_TABLE} masq_checks"
_POSTROUTING = f"{_TABLE} postrouting"
_COMMENT_LENGTH = 128
_HASH_LENGTH = 16
_TABLE_COMMENT = "Masquerading for plugins from github.com/containernetworking/plugins"
_CHAIN_COMMENT = (
    "Masquerade traffic from certain IPs to any (non-multicast) IP outside their subnet"
)


def instance_hash(network: str, ifname: str, container_id: str) -> str:
    """Return the hash with which the comments of an attachment's rules begin."""
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
    nft_rules.change(tools, lines)


def remove_rules(tools: Tools, network: str, ifname: str, container_id: str) -> None:
    """Remove the rules of an attachment, whatever its addresses were; blocks.

    Raises:
        PlanesError: the tool fails.
    """
    lines = _deletions(tools, instance_hash(network, ifname, container_id))
    if lines:
        nft_rules.change(tools, lines)


def has_chain(tools: Tools, version: int, chain: str) -> bool:
    """Report whether the nat table that iptables-nft keeps has a chain; blocks.

    Raises:
        NotFound: nft is not installed.
        Internal: it may not list chains, so it is not known.
    """
    return nft_rules.has_chain(tools, version, "nat", chain)


def _hash(text: str) -> str:
    return hashlib.sha512(text.encode()).hexdigest()[:_HASH_LENGTH]


def _deletions(tools: Tools, hashed: str) -> list[str]:
    return [
        f"delete rule {_TABLE} {chain} handle {handle}"
        for chain, comment, handle in nft_rules.commented(tools, _TABLE)
        if comment.startswith(hashed)
    ]
