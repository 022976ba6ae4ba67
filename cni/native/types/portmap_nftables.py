"""Port mappings by nftables: tables, chains, rules and comments of the reference plugin (1.10).

A rule's comment is the container id, by which it is found. Otherwise than there, conditions are in
the rules of the attachment that has them: there they are in a rule that all share, and those of the
last attachment count for every other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cni.native import nft_rules
from cni.native.types.portmap_conf import PortmapConf
from cni.net.execute import Tools
from planes.model.addresses import IPInterface
from planes.model.errors import NotFound, PlanesError

_TABLE: Final = "cni_hostport"
_FAMILIES: Final = {4: "ip", 6: "ip6"}
_TABLE_COMMENT: Final = "CNI portmap plugin"
_HOST_PORTS: Final = "hostports"
_MASQUERADING: Final = "masquerading"
_ANY: Final = {4: "0.0.0.0/0", 6: "::/0"}
_ATTEMPTS: Final = 2


class NftablesPorts:
    """Maps ports by nftables; every method blocks.

    Args:
        tools: the host's packet filter tools.
    """

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def is_usable(self) -> bool:
        """Report whether nft works here."""
        try:
            return nft_rules.is_usable(self._tools, f"ip {_TABLE}")
        except NotFound:
            return False

    def add(self, conf: PortmapConf) -> None:
        """Map the ports to each address of the container, in one transaction.

        Raises:
            PlanesError: it cannot be done; nothing is left.
        """
        lines = [
            line
            for address in conf.addresses.values()
            for part in (_shared_lines(conf, address.version), _own_lines(conf, address))
            for line in part
        ]
        if lines:
            nft_rules.change(self._tools, lines)

    def check(self, conf: PortmapConf) -> None:
        """Check that there are as many rules of the container as the mappings need.

        Raises:
            NotFound: there are fewer.
            PlanesError: nft may not list them.
        """
        for version in conf.addresses:
            found = [
                chain
                for chain, comment, _handle in nft_rules.commented(self._tools, _table(version))
                if comment == conf.container_id
            ]
            needed = {
                _HOST_PORTS: len(conf.mappings_of(version)),
                _MASQUERADING: len(_masqueraded_sources(conf, conf.addresses[version])),
            }
            for chain, count in needed.items():
                if found.count(chain) < count:
                    raise NotFound(f"cannot find all rules of the attachment in chain {chain}")

    def remove(self, container_id: str) -> None:
        """Remove the rules of a container, of both families, in one transaction.

        Raises:
            NotFound: nft is not installed.
            PlanesError: it fails.
        """
        for attempt in range(_ATTEMPTS):
            lines = [
                f"delete rule {_table(version)} {chain} handle {handle}"
                for version in _FAMILIES
                for chain, comment, handle in nft_rules.commented(self._tools, _table(version))
                if comment == container_id
            ]
            if not lines:
                return
            try:
                nft_rules.change(self._tools, lines)
            except PlanesError:
                # Another may have removed one of them meanwhile.
                if attempt + 1 == _ATTEMPTS:
                    raise
            else:
                return


def _table(version: int) -> str:
    return f"{_FAMILIES[version]} {_TABLE}"


def _shared_lines(conf: PortmapConf, version: int) -> Iterator[str]:
    """Yield the commands that make what all attachments use, where it is missing."""
    table = _table(version)
    yield f'add table {table} {{ comment "{_TABLE_COMMENT}" ; }}'
    for chain in (_HOST_PORTS, "hostip_hostports", "hostports_all"):
        yield f"add chain {table} {chain}"
    yield f"flush chain {table} hostports_all"
    yield f"add rule {table} hostports_all jump hostip_hostports"
    yield f"add rule {table} hostports_all jump {_HOST_PORTS}"
    for chain in ("prerouting", "output"):
        yield f"add chain {table} {chain} {{ type nat hook {chain} priority -100 ; }}"
        yield f"flush chain {table} {chain}"
        yield f"add rule {table} {chain} fib daddr type local jump hostports_all"
    if conf.has_snat:
        yield (f"add chain {table} {_MASQUERADING} {{ type nat hook postrouting priority 100 ; }}")


def _own_lines(conf: PortmapConf, address: IPInterface) -> Iterator[str]:
    table, family = _table(address.version), _FAMILIES[address.version]
    host = f"[{address.ip}]" if address.version == 6 else str(address.ip)
    comment = f'comment "{conf.container_id}"'
    for one in conf.mappings_of(address.version):
        words = [f"add rule {table} {_HOST_PORTS}"]
        if one.address is not None:
            words.append(f"{family} daddr {one.address}")
        words.append(f"{one.protocol} dport {one.host_port}")
        words.extend(conf.conditions[address.version])
        words.append(f"dnat to {host}:{one.container_port} {comment}")
        yield " ".join(words)
    for source in _masqueraded_sources(conf, address):
        yield (
            f"add rule {table} {_MASQUERADING} {family} saddr {source}"
            f" {family} daddr {address.ip} masquerade {comment}"
        )


def _masqueraded_sources(conf: PortmapConf, address: IPInterface) -> tuple[str, ...]:
    """Return whose packets to the container are masqueraded."""
    if not conf.has_snat:
        return ()
    if conf.masquerades_all:
        return (_ANY[address.version],)
    return (str(address.ip), "127.0.0.1") if address.version == 4 else (str(address.ip),)
