"""Lines of the address protocol, each made wrong on purpose, and the tests that must fail then.

`make mutants` runs them. A mutation that no test kills is a rule that could be lost unseen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_KUBE: Final = "planes/kube/addresses"
_LEADER: Final = "webhook/controller"
_T: Final = "tests/kube/addresses"
_W: Final = "tests/webhook/controller"
_FENCING: Final = "planes/model/state/fencing.py"


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change of the source.

    Attributes:
        name: what is wrong then.
        path: of the file.
        old: text that is in it exactly once.
        new: what stands there instead.
        tests: of these at least one fails.
    """

    name: str
    path: str
    old: str
    new: str
    tests: Sequence[str]


MUTATIONS: Final[Sequence[Mutation]] = (
    # The leader: one sighting for two, and proof left out.
    Mutation(
        "a claim is over after one scan",
        f"{_LEADER}/kept_for_claims.py",
        "        self._over = over - self._over",
        "        for one in over - self._over:\n            await self._release(one[0], {one})\n"
        "        self._over = over - self._over",
        [f"{_W}/test_keeping_claims.py", f"{_T}/test_claims_never_twice.py"],
    ),
    Mutation(
        "a pod is gone after one read",
        f"{_LEADER}/holders.py",
        "            if await fate_of_pod(self._api, seen.holder.owner) is PodFate.EXISTS:",
        "            if False:",
        [f"{_W}/test_fencing.py"],
    ),
    Mutation(
        "a holder is suspected after one scan",
        f"{_LEADER}/leaks.py",
        "if known.get(a) == holder}:",
        "if True}:",
        [f"{_W}/test_leaks.py"],
    ),
    Mutation(
        "a node is gone after one look",
        f"{_LEADER}/departed.py",
        "        is_gone = seen.fence() is Fence.GONE and is_second",
        "        is_gone = not seen.last.is_there",
        [f"{_W}/test_departed.py"],
    ),
    Mutation(
        "pods that are bound to a node that left are not looked for",
        f"{_LEADER}/departed.py",
        "        if (pod := await self._pod_of(node)) is not None:",
        "        if (pod := None) is not None:",
        [f"{_W}/test_departed.py"],
    ),
    Mutation(
        "a node that came back during its release loses the rest",
        f"{_LEADER}/departed.py",
        "if _is_nodes(seen) and self._is_missing(node):",
        "if _is_nodes(seen):",
        [f"{_W}/test_coming_back.py"],
    ),
    Mutation(
        "what is released is read after the last look",
        f"{_LEADER}/departed.py",
        "        await self._release(node, blocks, static)",
        "        blocks = dict(self._of_nodes.get(node, {}))\n"
        "        await self._release(node, blocks, await self._static_of(blocks))",
        [f"{_W}/test_coming_back.py"],
    ),
    Mutation(
        "no proof that the node has stopped the pod",
        f"{_LEADER}/holders.py",
        '        return _STOPPED if node.has_stopped(seen.at) else ""',
        "        return _STOPPED",
        [f"{_W}/test_fencing.py"],
    ),
    Mutation(
        "a holder that was replaced is judged as the one before",
        f"{_LEADER}/holders.py",
        "for a, seen in known.items() if asked.get(a) == seen.holder}",
        "for a, seen in known.items() if a in asked}",
        [f"{_W}/test_fencing.py"],
    ),
    # What looks at nodes prove.
    Mutation(
        "no grace for a node that is gone",
        _FENCING,
        "GONE_SECONDS: Final = 40.0",
        "GONE_SECONDS: Final = 0.0",
        ["tests/model/test_fencing.py", f"{_W}/test_coming_back.py"],
    ),
    Mutation(
        "the Lease is not looked at",
        _FENCING,
        "needed = SILENT_SECONDS if look.renewal else GONE_SECONDS\n",
        "needed = GONE_SECONDS\n",
        ["tests/model/test_fencing.py"],
    ),
    Mutation(
        "a connected node has stopped a pod at once",
        _FENCING,
        "max(self.connected_since, gone_at) >= CONNECTED_SECONDS",
        "max(self.connected_since, gone_at) >= 0",
        ["tests/model/test_fencing.py"],
    ),
    Mutation(
        "a node that was cut off counts as connected all the time",
        _FENCING,
        "        is_broken = look.began - self.last.ended > BREAK_SECONDS\n",
        "        is_broken = False\n",
        ["tests/model/test_fencing.py"],
    ),
    Mutation(
        "the taint counts on a node that is ready",
        f"{_KUBE}/node_look.py",
        "    return has_taint and not is_ready(node)",
        "    return has_taint",
        [f"{_W}/test_fencing.py"],
    ),
    # Versions, starts and numbers.
    Mutation(
        "a block of a node that left is deleted in any version",
        f"{_KUBE}/node_release.py",
        "uid=uid, resource_version=version)",
        "uid=uid)",
        [f"{_W}/test_coming_back.py"],
    ),
    Mutation(
        "a node returns its block in any version",
        f"{_KUBE}/block_writes.py",
        "uid=uid, resource_version=version)",
        "uid=uid)",
        [f"{_T}/test_returning.py"],
    ),
    Mutation(
        "the start in a block is not compared",
        f"{_KUBE}/block_writes.py",
        "            if block.instance == self.instance:",
        "            if block.instance:",
        [f"{_T}/test_returning.py"],
    ),
    Mutation(
        "a start does not write itself into its blocks",
        f"{_KUBE}/block_writes.py",
        "                return await self._put(obj, replace(found, instance=self.instance))",
        "                return replace(found, instance=self.instance)",
        [f"{_T}/test_returning.py"],
    ),
    Mutation(
        "a claim does not write its entry anew",
        f"{_KUBE}/holders.py",
        "    elif not is_settled:",
        "    elif False:",
        [f"{_T}/test_late_claims.py"],
    ),
    Mutation(
        "the number of an entry written anew stays",
        f"{_KUBE}/holders.py",
        "max(int(now), old.since + 1)",
        "old.since",
        [f"{_T}/test_late_claims.py"],
    ),
    Mutation(
        "a claim that may arrive late is not looked for again",
        f"{_KUBE}/static_releases.py",
        "            if not record.is_unsure:\n",
        "            if True:\n",
        [f"{_T}/test_late_claims.py"],
    ),
    Mutation(
        "a release takes out whoever holds the address",
        f"{_KUBE}/holders.py",
        "        if holder.identity == identity and address not in but",
        "        if address not in but",
        [f"{_T}/test_address_book_passing_on.py", f"{_T}/test_address_book_static.py"],
    ),
    # Looks before and after writes.
    Mutation(
        "a claim does not look whether a block hands the address out",
        f"{_KUBE}/static_attempt.py",
        "        if block is None:\n            return True\n",
        "        if True:\n            return True\n",
        [f"{_T}/test_address_book_both.py"],
    ),
    Mutation(
        "a node that takes a block does not look who holds addresses in it",
        f"{_KUBE}/block_writes.py",
        "            held = await self.holders(block)\n            kept",
        "            held = dict[IPAddress, Holder]()\n            kept",
        [f"{_T}/test_address_book_both.py", f"{_T}/test_returning.py"],
    ),
    Mutation(
        "what is taken back is handed out without a look",
        f"{_KUBE}/block_writes.py",
        "held = common(singles(await self.holders(own.block)), spans)",
        "held = common((), spans)",
        [f"{_T}/test_lending_orders.py"],
    ),
    Mutation(
        "what is taken back is not noted first",
        f"{_KUBE}/block_writes.py",
        "            await self._expect(own, own.withheld, is_durable=True)\n",
        "",
        [f"{_T}/test_lending_orders.py"],
    ),
    Mutation(
        "what is asked back is handed out before the write is confirmed",
        f"{_KUBE}/block_writes.py",
        "            self._own.withhold(own, spans)\n            pending = own.pending\n",
        "            own.block = replace(own.block, lent=without(own.block.lent, spans))\n"
        "            self._own.changed(own)\n            pending = own.pending\n",
        [f"{_T}/test_lending_orders.py"],
    ),
    Mutation(
        "a block is handed out of while it is returned",
        f"{_KUBE}/returning.py",
        "            self._own.withhold(self._own.of(plane)[name], is_leaving=True)\n"
        "        return [own for own in self._own.of(plane).values() if own.is_leaving]",
        "            pass\n        return [self._own.of(plane)[name] for name in names]",
        [f"{_T}/test_lending_orders.py", f"{_T}/test_returning.py"],
    ),
    Mutation(
        "what is lent is withheld after the write",
        f"{_KUBE}/own_blocks.py",
        "        return (*self.kept, *self.block.lent, *self.pending)",
        "        return (*self.kept, *self.block.lent)",
        [f"{_T}/test_lending.py"],
    ),
    Mutation(
        "no grace before an empty block is returned",
        f"{_KUBE}/returning.py",
        "GRACE_SECONDS: Final = 60.0",
        "GRACE_SECONDS: Final = 0.0",
        [f"{_T}/test_returning.py"],
    ),
    # Holders and claims.
    Mutation(
        "an address of another holder is taken",
        f"{_KUBE}/static_attempt.py",
        "                        holder is None\n",
        "                        True\n",
        [f"{_T}/test_address_book_static.py"],
    ),
    Mutation(
        "a node takes over from other nodes' pods that are gone",
        f"{_KUBE}/static_choice.py",
        "            if not is_ours:\n",
        "            if False:\n",
        [f"{_T}/test_address_book_passing_on.py"],
    ),
    Mutation(
        "a borrowed address does not rest",
        f"{_KUBE}/static_releases.py",
        "                is_resting = waits and record.left(self._clock.now())",
        "                is_resting = False",
        [f"{_T}/test_lending.py"],
    ),
    Mutation(
        "an address that is kept for a claim is given to others",
        f"{_KUBE}/static_attempt.py",
        "        kept = claims.get(address, self._claim)\n",
        "        kept = self._claim\n",
        [f"{_T}/test_persistent_addresses.py", f"{_T}/test_claims_never_twice.py"],
    ),
    Mutation(
        "blocks hand out what is kept for claims",
        f"{_KUBE}/holders.py",
        "        return {**self.holders, **kept}",
        "        return dict(self.holders)",
        [f"{_T}/test_persistent_addresses.py"],
    ),
    Mutation(
        "an address is written into a claim's status before it is kept",
        f"{_KUBE}/persistent_addresses.py",
        "            claims.update(dict.fromkeys(own, key.text))",
        "            pass",
        [f"{_T}/test_persistent_addresses.py"],
    ),
)
