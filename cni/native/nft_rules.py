"""Rules of nftables: list them, and change them in one transaction.

Plugins put the key of an attachment into the comment of its rules, and find them by it. Every
function blocks, and works in the namespace of the calling thread.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from cni.net.execute import Tools
from cni.plugins.unable import lacks_means
from planes.model.errors import Internal

_CHAIN: Final = re.compile(r"^\s*chain (?P<name>\S+) \{")
_RULE: Final = re.compile(r'comment "(?P<comment>[^"]*)".*# handle (?P<handle>\d+)$')


def listed(tools: Tools, words: Sequence[str]) -> str | None:
    """Return what nft lists; None where there is no such object, or no nftables in this kernel.

    Raises:
        NotFound: nft is not installed.
        Internal: it may not list them, or had no memory. A DEL that took that for "no rules" would
            leave them for ever.
    """
    found = tools.execute(["nft", *words])
    if found.status == 0:
        return found.output
    if lacks_means(found.complaint):
        raise Internal(f"cannot list the rules of nftables: {found.complaint}")
    return None


def commented(tools: Tools, table: str) -> Iterator[tuple[str, str, str]]:
    """Yield chain, comment and handle of each rule of a table that has a comment.

    Args:
        tools: the host's packet filter tools.
        table: with its family, such as `ip cni_hostport`; it may be missing.

    Raises:
        PlanesError: see `listed`.
    """
    chain = ""
    for line in (listed(tools, ["-a", "list", "table", *table.split()]) or "").splitlines():
        if begin := _CHAIN.match(line):
            chain = begin["name"]
        elif rule := _RULE.search(line):
            yield chain, rule["comment"], rule["handle"]


def change(tools: Tools, lines: Sequence[str]) -> None:
    """Carry out commands as one transaction.

    Raises:
        NotFound: nft is not installed.
        Internal: it refuses; nothing is changed then.
    """
    done = tools.execute(["nft", "-f", "-"], "\n".join([*lines, ""]))
    if done.status != 0:
        raise Internal(f"cannot change the rules of nftables: {done.complaint}")


def is_usable(tools: Tools, table: str) -> bool:
    """Report whether a table could be made here.

    Raises:
        NotFound: nft is not installed.
    """
    return tools.execute(["nft", "--check", "-f", "-"], f"add table {table}\n").status == 0


def has_chain(tools: Tools, version: int, table: str, chain: str) -> bool:
    """Report whether a table that iptables-nft keeps has a chain.

    Raises:
        PlanesError: see `listed`.
    """
    family = "ip" if version == 4 else "ip6"
    return listed(tools, ["list", "chain", family, table, chain]) is not None
