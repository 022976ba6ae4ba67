"""One table of iptables or ip6tables: how rules are added, looked for and removed.

Invariant: each change is one `iptables-restore`, which changes all or nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Final

from cni.native import nft_rules
from cni.native.iptables_rules import OwnRules, Rule, SharedRules
from cni.net.execute import ToolResult, Tools
from planes.model.errors import Internal, NotFound

_TOOLS: Final = {4: "iptables", 6: "ip6tables"}
# Of the namespace of the calling thread.
_LEGACY_TABLES: Final = {
    4: "/proc/thread-self/net/ip_tables_names",
    6: "/proc/thread-self/net/ip6_tables_names",
}
_NO_CHAIN: Final = 1  # exit status, also of a rule that is not there
_UNUSABLE: Final = re.compile(r"initiali[sz]e|insmod|ermission|Table does not exist")
_FAILED_LINE: Final = re.compile(r"line:? (\d+)")
_ATTEMPTS: Final = 2
_MOST_COMPARED: Final = 64
FAMILIES: Final[tuple[int, ...]] = (4, 6)


class RuleTable:
    """One table of one family, in the namespace of the calling thread. Every method blocks.

    Args:
        tools: the host's packet filter tools.
        version: 4 or 6.
        table: `nat` or `filter`.
        making: held while shared rules are made, so that two attachments do not both make them.
    """

    def __init__(self, tools: Tools, version: int, table: str, making: Lock) -> None:
        self._tools = tools
        self._version = version
        self._table = table
        self._making = making

    def try_add(self, own: OwnRules, shared: SharedRules) -> bool:
        """Add the rules of an attachment; report whether it was done.

        One call of the tool checks that the shared rules exist and the chain does not, which is so
        nearly always.

        Raises:
            NotFound: iptables is not installed.
        """
        return self._restore(_additions(own, shared)).status == 0

    def add(self, own: OwnRules, shared: SharedRules) -> None:
        """Make the shared rules where they are missing; add those of an attachment.

        Raises:
            NotFound: iptables does not work here.
            Internal: iptables refuses, as it does where the chain of the attachment exists.
        """
        with self._making:
            self._make(shared)
        self._change(_additions(own, shared))

    def check(self, rules: Sequence[Rule]) -> None:
        """Check that all rules exist.

        Raises:
            NotFound: iptables does not work here, or one is missing.
        """
        done = self._restore([f"-C {rule.text}" for rule in rules])
        if done.status == 0:
            return
        line = _FAILED_LINE.search(done.complaint)
        if line is None or _UNUSABLE.search(done.complaint):
            raise NotFound(f"cannot read table {self._table}: {done.complaint}")
        # The first line is the table's.
        raise _missing(rules[min(max(int(line[1]) - 2, 0), len(rules) - 1)].chain)

    def check_own(self, own: OwnRules) -> None:
        """Check the rules of an attachment; of very many only how many there are.

        For each rule iptables looks at all others of the chain: 1,000 would take half a minute.

        Raises:
            NotFound: iptables does not work here, or one is missing.
        """
        if len(own.rules) <= _MOST_COMPARED:
            self.check(own.rules)
            return
        for chain in sorted({rule.chain for rule in own.rules}):
            wanted = sum(rule.chain == chain for rule in own.rules)
            end = "" if chain == own.chain else f" -j {own.chain}"
            lines = self.listed(chain) or ()
            if sum(one.startswith("-A ") and one.endswith(end) for one in lines) < wanted:
                raise _missing(chain)

    def remove(self, chain: str, leading: Sequence[str]) -> None:
        """Remove a chain of an attachment, with the rules of other chains that jump to it.

        Args:
            chain: it may be missing.
            leading: the chains that have such rules; where none of them exists there is no chain.

        Raises:
            NotFound: iptables does not work here.
            Internal: iptables refuses.
        """
        for attempt in range(_ATTEMPTS):
            listed = [self.listed(one) for one in leading]
            if all(lines is None for lines in listed):
                return
            going = [
                f"-D {line.removeprefix('-A ')}"
                for lines in listed
                for line in lines or ()
                if line.startswith("-A ") and line.endswith(f" -j {chain}")
            ]
            # This line makes the chain where it is missing, and empties it where it is not.
            lines = [f":{chain} - [0:0]", *going, f"-X {chain}"]
            if self._restore(lines).status == 0:
                return
            if attempt + 1 == _ATTEMPTS:
                self._change(lines)

    def try_remove(self, chain: str, leading: Sequence[str]) -> bool:
        """Remove a chain as `remove` does; report whether iptables works here.

        Raises:
            NotFound: it does not, although the kernel may have the chain.
            Internal: iptables refuses.
        """
        try:
            self.remove(chain, leading)
        except NotFound:
            if self.may_have(chain):
                raise
            return False
        return True

    def listed(self, chain: str) -> list[str] | None:
        """Return the rules of a chain, as `iptables -S` writes them; None without the chain.

        Raises:
            NotFound: iptables does not work here.
        """
        found = self._run("-S", chain)
        if found.status == 0:
            return found.output.splitlines()
        if found.status != _NO_CHAIN or _UNUSABLE.search(found.complaint):
            raise NotFound(f"cannot read table {self._table}: {found.complaint}")
        return None

    def saved(self) -> list[str]:
        """Return all rules of the table, as `iptables -S` writes them.

        Raises:
            NotFound: iptables does not work here.
        """
        found = self._run("-S")
        if found.status != 0:
            raise NotFound(f"cannot read table {self._table}: {found.complaint}")
        return found.output.splitlines()

    def delete(self, rules: Sequence[Rule], chain: str = "") -> None:
        """Delete each rule once, where it exists, and a chain with what is in it.

        Raises:
            NotFound: iptables does not work here.
            Internal: iptables refuses.
        """
        end = [f":{chain} - [0:0]", f"-X {chain}"] if chain else []
        if self._restore([*(f"-D {rule.text}" for rule in rules), *end]).status == 0:
            return
        present = [rule for rule in rules if self._has(rule)]
        if present or end:
            self._change([*(f"-D {rule.text}" for rule in present), *end])

    def may_have(self, chain: str) -> bool:
        """Report whether the kernel may have a chain that iptables, which fails, cannot show.

        Raises:
            Internal: nft may not list chains, so it is not known.
        """
        try:
            names = Path(_LEGACY_TABLES[self._version]).read_text(encoding="ascii").split()
        except OSError:  # the kernel has no such tables
            names = []
        if self._table in names:
            return True
        try:
            return nft_rules.has_chain(self._tools, self._version, self._table, chain)
        except NotFound:
            return False

    def _make(self, shared: SharedRules) -> None:
        lines = [f"-N {one}" for one in shared.chains if self.listed(one) is None]
        for rule in shared.rules:
            if not self._has(rule):
                where = "-I" if rule.is_first else "-A"
                lines.append(f"{where} {rule.text}")
        if lines:
            self._change(lines)

    def _has(self, rule: Rule) -> bool:
        found = self._run("-C", rule.chain, *rule.words)
        if found.status != 0 and _UNUSABLE.search(found.complaint):
            raise NotFound(f"cannot read table {self._table}: {found.complaint}")
        return found.status == 0

    def _run(self, *words: str) -> ToolResult:
        return self._tools.execute([_TOOLS[self._version], "-w", "-t", self._table, *words])

    def _restore(self, lines: Sequence[str]) -> ToolResult:
        text = "\n".join([f"*{self._table}", *lines, "COMMIT", ""])
        return self._tools.execute(
            [f"{_TOOLS[self._version]}-restore", "--noflush", "--wait"], text
        )

    def _change(self, lines: Sequence[str]) -> None:
        done = self._restore(lines)
        if done.status != 0:
            raise Internal(f"cannot change the {self._table} table: {done.complaint}")


def _missing(chain: str) -> NotFound:
    return NotFound(
        f"cannot find a rule of the attachment in chain {chain}",
        remedy="another program has removed it: restart the pod",
    )


def _additions(own: OwnRules, shared: SharedRules) -> list[str]:
    return [
        *(f"-C {rule.text}" for rule in shared.rules),
        f"-N {own.chain}",
        *(f"-A {rule.text}" for rule in own.rules),
    ]


def is_usable(tools: Tools) -> bool:
    """Report whether iptables works here, by the question that the reference plugins ask."""
    try:
        RuleTable(tools, 4, "filter", Lock()).listed("INPUT")
    except NotFound:
        return False
    return True
