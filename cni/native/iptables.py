"""Masquerading by iptables: one chain per network and container in each family's nat table.

Chain, comments and rules are those of the reference plugins, so either side's DEL finds the
other's. One `iptables-save` shows what is missing, one `iptables-restore` adds it at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from cni.net.execute import Outcome, execute
from planes.model.addresses import IPInterface
from planes.model.errors import Internal, PlanesError

_TOOLS = {4: "iptables", 6: "ip6tables"}
_MULTICAST = {4: "224.0.0.0/4", 6: "ff00::/8"}
_CHAIN_LENGTH = 28  # the kernel's limit is 29 bytes with the final zero


def chain_name(network: str, container_id: str) -> str:
    """Give the chain of an attachment; the interface is not part of it."""
    digest = hashlib.sha512(f"{network}{container_id}".encode()).hexdigest()
    return f"CNI-{digest}"[:_CHAIN_LENGTH]


def is_usable(version: int = 4) -> bool:
    """Say whether the family's nat table can be read here; blocks."""
    try:
        return _save(version).status == 0
    except PlanesError:
        return False


def add_rules(network: str, container_id: str, addresses: Sequence[IPInterface]) -> None:
    """Masquerade what the addresses send out of their networks; blocks.

    Raises:
        PlanesError: the tool fails.
    """
    chain, comment = chain_name(network, container_id), _comment(network, container_id)
    for version in sorted({one.version for one in addresses}):
        ours = [one for one in addresses if one.version == version]
        rules = [
            rule
            for one in ours
            for rule in (
                f"-A {chain} -d {one.network} {comment} -j ACCEPT",
                f"-A {chain} ! -d {_MULTICAST[version]} {comment} -j MASQUERADE",
                f"-A POSTROUTING -s {one.ip}/{one.max_prefixlen} {comment} -j {chain}",
            )
        ]
        present = _table(version)
        missing = [rule for rule in dict.fromkeys(rules) if rule not in present]
        # Naming a chain that is there would empty it.
        is_new = not any(line.startswith(f":{chain} ") for line in present)
        if missing:
            _restore(version, [f":{chain} - [0:0]"] * is_new + missing)


def remove_rules(network: str, container_id: str, addresses: Sequence[IPInterface]) -> None:
    """Take the rules of addresses away, and the chain with the last; blocks.

    Args:
        network: the network's name.
        container_id: the sandbox.
        addresses: those of the attachment; none means whatever leads to the chain.

    Raises:
        PlanesError: the tool fails although it is usable.
    """
    chain = chain_name(network, container_id)
    for version in (4, 6):
        if not is_usable(version):
            continue
        present = _table(version)
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
            _restore(version, lines)


def _comment(network: str, container_id: str) -> str:
    return f'-m comment --comment "name: \\"{network}\\" id: \\"{container_id}\\""'


def _save(version: int) -> Outcome:
    return execute([f"{_TOOLS[version]}-save", "-t", "nat"])


def _table(version: int) -> list[str]:
    found = _save(version)
    if found.status != 0:
        raise Internal(f"cannot read the nat table: {found.complaint}")
    return found.output.splitlines()


def _restore(version: int, lines: Sequence[str]) -> None:
    text = "\n".join(["*nat", *lines, "COMMIT", ""])
    done = execute([f"{_TOOLS[version]}-restore", "--noflush", "--wait"], text)
    if done.status != 0:
        raise Internal(f"cannot change the nat table: {done.complaint}")
