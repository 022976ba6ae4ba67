"""Masquerading by iptables: one chain per network and container in each family's nat table.

Chain, comments and rules are those of the reference plugins, so each DEL finds the rules of the
other. Every change is one `iptables-restore`, which changes all or nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cni.net.execute import ToolResult, Tools
from planes.model.addresses import IPInterface
from planes.model.errors import Internal, NotFound

_TOOLS = {4: "iptables", 6: "ip6tables"}
# Of the namespace of the calling thread.
_LOADED = {
    4: "/proc/thread-self/net/ip_tables_names",
    6: "/proc/thread-self/net/ip6_tables_names",
}
_MULTICAST = {4: "224.0.0.0/4", 6: "ff00::/8"}
_CHAIN_LENGTH = 28  # the kernel's limit is 29 bytes with the final zero


def chain_name(network: str, container_id: str) -> str:
    """Return the chain of an attachment; the interface is not part of it."""
    digest = hashlib.sha512(f"{network}{container_id}".encode()).hexdigest()
    return f"CNI-{digest}"[:_CHAIN_LENGTH]


def add_rules(
    tools: Tools, network: str, container_id: str, addresses: Sequence[IPInterface]
) -> None:
    """Masquerade what the addresses send out of their networks; blocks.

    Raises:
        NotFound: iptables does not work here for one of the families.
        PlanesError: the tool fails.
    """
    chain = chain_name(network, container_id)
    wanted = {
        version: _rules(chain, _comment(network, container_id), ours)
        for version in (4, 6)
        if (ours := [one for one in addresses if one.version == version])
    }
    # Nearly always the chain is new, so no rule leads to it: then one call is enough.
    pending = [
        version
        for version, rules in wanted.items()
        if _restore(tools, version, [f"-N {chain}", *rules]).status != 0
    ]
    for version, present in {version: read_table(tools, version) for version in pending}.items():
        missing = [rule for rule in wanted[version] if rule not in present]
        is_new = not any(line.startswith(f":{chain} ") for line in present)
        if missing:
            _change(tools, version, [f"-N {chain}"] * is_new + missing)


@dataclass(frozen=True, slots=True)
class Unseen:
    """A family whose table could not be read.

    Attributes:
        version: 4 or 6.
        chain: what may be in it.
        error: why.
    """

    version: int
    chain: str
    error: NotFound

    def has_tables(self) -> bool:
        """Report whether the kernel has a nat table of the older kind, which nft does not show."""
        try:
            return "nat" in Path(_LOADED[self.version]).read_text(encoding="ascii").split()
        except OSError:  # the kernel has no such tables
            return False


def remove_rules(
    tools: Tools, network: str, container_id: str, addresses: Sequence[IPInterface]
) -> list[Unseen]:
    """Remove the rules of addresses, and the chain with the last one; blocks.

    Returns the families whose table could not be read, since the tool does not work here.

    Args:
        tools: runs the tool.
        network: the network's name.
        container_id: the sandbox.
        addresses: of the attachment; none means every rule that leads to the chain.

    Raises:
        PlanesError: the tool fails although it is usable.
    """
    chain = chain_name(network, container_id)
    unseen: list[Unseen] = []
    for version in sorted({one.version for one in addresses} or _TOOLS):
        try:
            present = read_table(tools, version)
        except NotFound as error:
            unseen.append(Unseen(version, chain, error))
            continue
        if not any(line.startswith(f":{chain} ") for line in present):
            continue
        leading = [line for line in present if line.endswith(f" -j {chain}")]
        sources = {f" -s {one.ip}/{one.max_prefixlen} " for one in addresses}
        going = [
            line for line in leading if not sources or any(source in line for source in sources)
        ]
        lines = [f"-D {line.removeprefix('-A ')}" for line in going]
        if len(going) == len(leading):
            lines += [f"-F {chain}", f"-X {chain}"]
        if lines:
            _change(tools, version, lines)
    return unseen


def read_table(tools: Tools, version: int) -> list[str]:
    """Return the nat table of a family as `iptables-save` writes it; blocks.

    Raises:
        NotFound: the tool is missing, or cannot read the table here.
    """
    found = tools.execute([f"{_TOOLS[version]}-save", "-t", "nat"])
    if found.status != 0:
        raise NotFound(f"cannot read the nat table: {found.complaint}")
    return found.output.splitlines()


def _rules(chain: str, comment: str, addresses: Sequence[IPInterface]) -> list[str]:
    """Rules as `iptables-save` would write them, so that they can be compared."""
    found = [
        rule
        for one in addresses
        for rule in (
            f"-A {chain} -d {one.network} {comment} -j ACCEPT",
            f"-A {chain} ! -d {_MULTICAST[one.version]} {comment} -j MASQUERADE",
            f"-A POSTROUTING -s {one.ip}/{one.max_prefixlen} {comment} -j {chain}",
        )
    ]
    return list(dict.fromkeys(found))


def _comment(network: str, container_id: str) -> str:
    return f'-m comment --comment "name: \\"{network}\\" id: \\"{container_id}\\""'


def _restore(tools: Tools, version: int, lines: Sequence[str]) -> ToolResult:
    text = "\n".join(["*nat", *lines, "COMMIT", ""])
    return tools.execute([f"{_TOOLS[version]}-restore", "--noflush", "--wait"], text)


def _change(tools: Tools, version: int, lines: Sequence[str]) -> None:
    done = _restore(tools, version, lines)
    if done.status != 0:
        raise Internal(f"cannot change the nat table: {done.complaint}")
