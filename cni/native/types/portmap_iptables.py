"""Port mappings by iptables: chains, rules and comments of the reference plugin.

Packets to an address of the node go to CNI-HOSTPORT-DNAT, and from there, by their ports, to the
chain of an attachment, which redirects them. What must be masqueraded on its way back is marked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from threading import Lock
from typing import Final

from cni.native.iptables_rules import OwnRules, Rule, SharedRules
from cni.native.rule_table import FAMILIES, RuleTable
from cni.native.types.portmap_conf import PortmapConf, PortMapping
from cni.net.execute import Tools
from planes.model.addresses import IPInterface

DNAT_CHAIN: Final = "CNI-HOSTPORT-DNAT"
_MARK_CHAIN: Final = "CNI-HOSTPORT-SETMARK"
_MASQUERADE_CHAIN: Final = "CNI-HOSTPORT-MASQ"
_CHAIN_LENGTH: Final = 28
_COMMENT_LENGTH: Final = 255
_PORTS_IN_A_RULE: Final = 15  # of match multiport
_ANY: Final = {4: "0.0.0.0/0", 6: "::/0"}


def chain_name(network: str, container_id: str) -> str:
    """Return the chain of an attachment; the interface is not part of it."""
    digest = hashlib.sha512(f"{network}{container_id}".encode()).hexdigest()
    return f"CNI-DN-{digest}"[:_CHAIN_LENGTH]


class IptablesPorts:
    """Maps ports by iptables; every method blocks.

    Args:
        tools: the host's packet filter tools.
    """

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._making = Lock()

    def add(self, conf: PortmapConf) -> None:
        """Map the ports to each address of the container.

        Raises:
            PlanesError: it cannot be done; nothing of the attachment is left.
        """
        done: list[int] = []
        try:
            for version, address in sorted(conf.addresses.items()):
                done.append(version)
                own, shared = _own_rules(conf, address), _shared_rules(conf)
                table = self._table(version)
                if not table.try_add(own, shared):
                    table.remove(own.chain, [DNAT_CHAIN])  # what an earlier attempt left
                    table.add(own, shared)
        except BaseException:
            for version in done:
                self._remove(version, conf.network, conf.container_id)
            raise

    def check(self, conf: PortmapConf) -> None:
        """Check that the rules of the attachment exist.

        Raises:
            NotFound: one does not, or iptables does not work here.
        """
        for version, address in sorted(conf.addresses.items()):
            self._table(version).check_own(_own_rules(conf, address))

    def remove(self, network: str, container_id: str) -> list[int]:
        """Remove the rules of an attachment, of both families; return those that cannot be read.

        Raises:
            PlanesError: iptables refuses, or may have rules although it cannot be used.
        """
        return [one for one in FAMILIES if not self._remove(one, network, container_id)]

    def _remove(self, version: int, network: str, container_id: str) -> bool:
        chain = chain_name(network, container_id)
        return self._table(version).try_remove(chain, [DNAT_CHAIN])

    def _table(self, version: int) -> RuleTable:
        return RuleTable(self._tools, version, "nat", self._making)


def _shared_rules(conf: PortmapConf) -> SharedRules:
    """Return what all attachments use; other mark bits have rules of their own in the chains."""
    local = ("-m", "addrtype", "--dst-type", "LOCAL", "-j", DNAT_CHAIN)
    redirect = (Rule("PREROUTING", local), Rule("OUTPUT", local))
    if not conf.has_snat or conf.mark_chain:
        return SharedRules((DNAT_CHAIN,), redirect)
    mark = f"{1 << conf.mark_bit:#x}/{1 << conf.mark_bit:#x}"
    note = ("-m", "comment", "--comment", "CNI portfwd masquerade mark")
    masquerade = ("-m", "comment", "--comment", "CNI portfwd requiring masquerade")
    return SharedRules(
        (_MARK_CHAIN, _MASQUERADE_CHAIN, DNAT_CHAIN),
        (
            Rule(_MARK_CHAIN, (*note, "-j", "MARK", "--set-xmark", mark)),
            Rule(_MASQUERADE_CHAIN, ("-m", "mark", "--mark", mark, "-j", "MASQUERADE")),
            # Before the rules of ipMasq, which would end the search.
            Rule("POSTROUTING", (*masquerade, "-j", _MASQUERADE_CHAIN), is_first=True),
            *redirect,
        ),
    )


def _own_rules(conf: PortmapConf, address: IPInterface) -> OwnRules:
    chain = chain_name(conf.network, conf.container_id)
    rules = [
        Rule(chain, words)
        for mapping in conf.mappings_of(address.version)
        for words in _mapping_rules(conf, mapping, address)
    ]
    return OwnRules(chain, (*rules, *_leading_rules(conf, chain, address.version)))


def _leading_rules(conf: PortmapConf, chain: str, version: int) -> list[Rule]:
    """Return the rules that lead to the chain, by protocol; as there, with ports of any family."""
    comment = f'dnat name: "{conf.network}" id: "{conf.container_id}"'
    if len(comment) > _COMMENT_LENGTH:
        comment = f"{comment[: _COMMENT_LENGTH - 2]}..."
    conditions = conf.conditions[version]
    return [
        Rule(
            DNAT_CHAIN,
            (
                *("-m", "comment", "--comment", comment),
                *("-m", "multiport", "-p", protocol, "--destination-ports", ports),
                *conditions,
                *("-j", chain),
            ),
        )
        for protocol in sorted({one.protocol for one in conf.mappings})
        for ports in _split([one.host_port for one in conf.mappings if one.protocol == protocol])
    ]


def _split(ports: Sequence[int]) -> list[str]:
    return [
        ",".join(map(str, ports[start : start + _PORTS_IN_A_RULE]))
        for start in range(0, len(ports), _PORTS_IN_A_RULE)
    ]


def _mapping_rules(
    conf: PortmapConf, mapping: PortMapping, address: IPInterface
) -> list[tuple[str, ...]]:
    """Return the words of the rules of one mapping: first what is marked, then the redirection."""
    head: tuple[str, ...] = ("-p", mapping.protocol, "--dport", str(mapping.host_port))
    if mapping.address is not None:
        head = (*head, "-d", str(mapping.address))
    mark = ("-j", conf.mark_chain or _MARK_CHAIN)
    rules: list[tuple[str, ...]] = []
    if conf.has_snat:
        source = _ANY[address.version] if conf.masquerades_all else str(address)
        rules.append((*head, "-s", source, *mark))
        if address.version == 4 and not conf.masquerades_all:
            rules.append((*head, "-s", "127.0.0.1", *mark))
    host = f"[{address.ip}]" if address.version == 6 else str(address.ip)
    target = ("-j", "DNAT", "--to-destination", f"{host}:{mapping.container_port}")
    return [*rules, (*head, *target)]
