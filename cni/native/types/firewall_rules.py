"""The rules of type `firewall`, in table filter: chains, rules and comments of the reference.

An address has two rules in CNI-FORWARD. Nothing in them says whose they are, and a DEL may have no
prevResult: after an ADD that failed, or was interrupted. So a chain of each attachment, to which
nothing leads, records its addresses; it is made and removed in the same transaction as the rules.
Invariant: each attachment adds its rules once and removes them once, so those of two attachments
with one address do not go with the first of them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from threading import Lock
from typing import Final

from cni.native.iptables_rules import OwnRules, Rule, SharedRules
from cni.native.rule_table import FAMILIES, RuleTable
from cni.net.execute import Tools
from planes.model.addresses import IPAddress, parse_address
from planes.model.errors import NotFound

FORWARD_CHAIN: Final = "CNI-FORWARD"
_STAGE_1: Final = "CNI-ISOLATION-STAGE-1"
_STAGE_2: Final = "CNI-ISOLATION-STAGE-2"
_RECORD: Final = "CNI-FW-"
_CHAIN_LENGTH: Final = 28
_SOURCE: Final = re.compile(r"^-A (?P<chain>\S+) -s (?P<address>[0-9a-f.:]+)/\d+$")
_POLICIES: Final = "CNI firewall plugin rules (ingressPolicy: same-bridge|isolated)"


def record_chain(network: str, container_id: str, ifname: str) -> str:
    """Return the chain that records the addresses of an attachment."""
    digest = hashlib.sha512(f"{network}/{container_id}/{ifname}".encode()).hexdigest()
    return f"{_RECORD}{digest}"[:_CHAIN_LENGTH]


def shared_rules(admin_chain: str, policy: str, bridge: str) -> SharedRules:
    """Return the rules that attachments share.

    Args:
        admin_chain: the chain of rules that the administrator writes.
        policy: `same-bridge`, `isolated`, or "" for none.
        bridge: that the policy is for.
    """
    rules = (
        Rule("FORWARD", (*_note("CNI firewall plugin rules"), "-j", FORWARD_CHAIN), is_first=True),
        Rule(
            FORWARD_CHAIN,
            (*_note("CNI firewall plugin admin overrides"), "-j", admin_chain),
            is_first=True,
        ),
    )
    chains = tuple(dict.fromkeys((FORWARD_CHAIN, admin_chain)))
    if not policy:
        return SharedRules(chains, rules)
    return SharedRules((*chains, _STAGE_1, _STAGE_2), (*rules, *_policy_rules(policy, bridge)))


def _policy_rules(policy: str, bridge: str) -> list[Rule]:
    """Return the rules that keep packets of other bridges away; made in this order."""
    own = _note(f"CNI firewall plugin rules (ingressPolicy: {policy})")
    all_policies = _note(_POLICIES)
    rules = [
        Rule("FORWARD", ("-j", _STAGE_1, *all_policies), is_first=True),
        Rule(_STAGE_1, ("-i", bridge, "!", "-o", bridge, "-j", _STAGE_2, *own), is_first=True),
    ]
    if policy == "isolated":
        rules.append(Rule(_STAGE_1, ("-i", bridge, "-o", bridge, "-j", "DROP", *own), True))
    return [
        *rules,
        Rule(_STAGE_1, ("-j", "RETURN", *all_policies)),
        Rule(_STAGE_2, ("-o", bridge, "-j", "DROP", *all_policies), is_first=True),
        Rule(_STAGE_2, ("-j", "RETURN", *all_policies)),
    ]


def _note(text: str) -> tuple[str, ...]:
    return ("-m", "comment", "--comment", text)


def address_rules(addresses: Sequence[IPAddress]) -> list[Rule]:
    """Return the rules in CNI-FORWARD that accept packets from addresses, and the answers."""
    answers = ("-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-j", "ACCEPT")
    return [
        Rule(FORWARD_CHAIN, words)
        for one in addresses
        for words in (
            ("-d", f"{one}/{one.max_prefixlen}", *answers),
            ("-s", f"{one}/{one.max_prefixlen}", "-j", "ACCEPT"),
        )
    ]


class FirewallRules:
    """The rules on one host; every method blocks.

    Args:
        tools: the host's packet filter tools.
    """

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._making = Lock()

    def add(self, record: str, addresses: Sequence[IPAddress], shared: SharedRules) -> None:
        """Add the rules of an attachment.

        Args:
            record: its chain, see `record_chain`.
            addresses: that it has.
            shared: what must be there besides.

        Raises:
            PlanesError: it cannot be done; nothing of the attachment is left.
        """
        done: list[int] = []
        try:
            for version in _families(addresses):
                done.append(version)
                self._add(version, record, addresses, shared)
        except BaseException:
            for version in done:
                self._remove_recorded(version, record)
            raise

    def _add(
        self, version: int, record: str, addresses: Sequence[IPAddress], shared: SharedRules
    ) -> None:
        ours = [one for one in addresses if one.version == version]
        table = self._table(version)
        kept = [Rule(record, ("-s", f"{one}/{one.max_prefixlen}")) for one in ours]
        own = OwnRules(record, (*kept, *address_rules(ours)))
        if not table.try_add(own, shared):
            self._remove_recorded(version, record)
            table.add(own, shared)

    def check(self, addresses: Sequence[IPAddress], shared: SharedRules) -> None:
        """Check that the rules of addresses exist, and those that they share.

        Raises:
            NotFound: one does not, or iptables does not work here.
        """
        for version in _families(addresses):
            ours = [one for one in addresses if one.version == version]
            self._table(version).check([*shared.rules, *address_rules(ours)])

    def remove(self, record: str, addresses: Sequence[IPAddress]) -> None:
        """Remove the rules of an attachment: of what is recorded, else of addresses.

        Raises:
            PlanesError: iptables refuses, or may have rules although it cannot be used.
        """
        for version in FAMILIES:
            ours = [one for one in addresses if one.version == version]
            try:
                if not self._remove_recorded(version, record) and ours:
                    self._remove_unrecorded(version, ours)
            except NotFound:
                if self._table(version).may_have(record):
                    raise

    def _remove_recorded(self, version: int, record: str) -> bool:
        """Remove what an attachment has recorded; report whether it has a record.

        Raises:
            PlanesError: iptables does not work here, or refuses.
        """
        table = self._table(version)
        listed = table.listed(record)
        if listed is None:
            return False
        table.delete(address_rules(_recorded(listed, record)), record)
        return True

    def _remove_unrecorded(self, version: int, addresses: Sequence[IPAddress]) -> None:
        """Remove the rules that the reference plugin made, as far as no record claims them."""
        table = self._table(version)
        lines = table.saved()
        claimed = _recorded(lines)
        prefix = f"-A {FORWARD_CHAIN} -s "
        present = [
            parse_address(line.removeprefix(prefix).partition("/")[0])
            for line in lines
            if line.startswith(prefix) and line.endswith(" -j ACCEPT")
        ]
        ours = [
            one
            for one in addresses
            if one not in claimed or present.count(one) > claimed.count(one)
        ]
        table.delete(address_rules(ours))

    def _table(self, version: int) -> RuleTable:
        return RuleTable(self._tools, version, "filter", self._making)


def _families(addresses: Sequence[IPAddress]) -> list[int]:
    return sorted({int(one.version) for one in addresses})


def _recorded(lines: Sequence[str], record: str = _RECORD) -> list[IPAddress]:
    """Return the addresses that chains of a name, or of its beginning, record."""
    return [
        parse_address(match["address"])
        for line in lines
        if (match := _SOURCE.match(line)) and match["chain"].startswith(record)
    ]
