"""Release addresses that were kept for IPAMClaims which are gone.

A node keeps an address for a claim, and no node may undo that. So the leader compares what blocks
keep with the claims that there are. The pod that has such an address is not touched: it holds it as
any pod does, until it ends.

Invariant: an address is released only when two live reads, a scan apart, found no claim with the
UID, or one whose status has other addresses; and only where the block still keeps it for that UID.
"""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Final

from planes.kube.addresses.claim_release import (
    SCAN_SECONDS,
    KeptAddress,
    is_over_now,
    kept_addresses,
    list_claims,
    release_kept,
    seems_over,
)
from planes.kube.api import KubeApi
from planes.model.errors import Conflict, PlanesError
from planes.run.clock import Clock

_log = logging.getLogger(__name__)

_AT_ONCE: Final = 512
"""Claims that are read, live, in one scan: some nine a second."""


class KeptForClaims:
    """Scans static blocks now and then; `run` must run.

    Args:
        api: writes through it must fail while this replica does not lead.
        clock: paces scans.
        removed: called with the number of addresses that were released at once.
        has_any: reports whether any block keeps addresses; without it nothing is asked for.
    """

    def __init__(
        self,
        api: KubeApi,
        clock: Clock,
        removed: Callable[[int], None] = lambda _count: None,
        has_any: Callable[[], bool] = lambda: True,
    ) -> None:
        self._has_any = has_any
        self._api = api
        self._clock = clock
        self._removed = removed
        self._over: set[KeptAddress] = set()
        # Of each namespace that has any: block and address of what was read last.
        self._last: dict[str, tuple[str, int]] = {}

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._clock.sleep(SCAN_SECONDS)
            try:
                await self.scan()
            except PlanesError as error:
                self._over.clear()
                _log.warning("claims of addresses not scanned", extra={"reason": str(error)})

    async def scan(self) -> None:
        """Look once: what two scans in a row find is released.

        Raises:
            PlanesError: blocks or claims cannot be read, so nothing is known; also where the
                cluster does not have the definition of claims.
        """
        kept = await kept_addresses(self._api, at_least="0") if self._has_any() else []
        if not kept:
            self._over.clear()
            return
        claims = await list_claims(self._api, of=kept, at_least="0")
        doubtful = [one for one in kept if seems_over(one, claims)]
        over: set[KeptAddress] = set()
        for one in self._in_turn(doubtful):
            if await is_over_now(self._api, one):
                over.add(one)
        for name in {one.block for one in over & self._over}:
            await self._release(name, {one for one in over & self._over if one.block == name})
        self._over = over - self._over

    def _in_turn(self, doubtful: Iterable[KeptAddress]) -> list[KeptAddress]:
        """Return what is to be read: namespaces take turns, each goes on where it was left.

        A namespace may delete a thousand claims at once: it waits for them, and no other does. A
        node can keep addresses for claims that there never were as fast as they are released.
        What was over in the last scan comes first.
        """
        by_namespace: dict[str, list[KeptAddress]] = {}
        for one in sorted(doubtful, key=_place):
            by_namespace.setdefault(_namespace(one), []).append(one)
        ranked: list[tuple[int, KeptAddress]] = []
        for namespace, ones in by_namespace.items():
            begin = bisect_right(ones, self._last.get(namespace, ("", 0)), key=_place)
            in_turn = [*ones[begin:], *ones[:begin]]
            ranked += enumerate(sorted(in_turn, key=lambda one: one not in self._over))
        chosen = [one for _, one in sorted(ranked, key=lambda each: each[0])][:_AT_ONCE]
        last = {n: place for n, place in self._last.items() if n in by_namespace}
        self._last = last | {
            _namespace(one): _place(one) for one in chosen if one not in self._over
        }
        return chosen

    async def _release(self, name: str, over: set[KeptAddress]) -> None:
        try:
            gone = await release_kept(self._api, name, over)
        except Conflict:  # written since: the next scans see it again
            return
        self._removed(len(gone))
        for one in gone:
            _log.warning(
                "released an address: the claim that kept it is gone, or has another one",
                extra={"plane": one.plane, "address": str(one.address), "claim": one.claim},
            )


def _namespace(one: KeptAddress) -> str:
    return one.claim.partition("/")[0]


def _place(one: KeptAddress) -> tuple[str, int]:
    return one.block, int(one.address)
