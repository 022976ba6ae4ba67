"""Record addresses in use as held, before a plane's first address is handed out on this node.

The records of a plane are missing where the state directory was deleted under running pods, where
only its addresses were, and where a plane covers addresses that other networks gave to running
pods. What is in use is found in the journal, in sandboxes and in network-status.

Invariant: a plane without the mark of its records hands out nothing until they were made. A held
address is released by the DEL of its sandbox or pod, or when nobody has it any more
(`cni.reconcile.orphans`).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence

from cni.reconcile.addresses_in_use import AddressesInUse
from planes.model.addresses import IPAddress
from planes.model.decide.adoption import (
    NO_INTERFACE,
    AddressUser,
    Adoption,
    Fact,
    Verdict,
    adoptions,
)
from planes.model.errors import BadInput, PlanesError, Unavailable
from planes.model.names import check_ifname, is_dns_label, is_dns_subdomain
from planes.model.spec.plane_spec import IpamMode, Plane
from planes.run.clock import Clock
from planes.run.locks import KeyedLocks
from planes.run.metrics import Metrics
from planes.store.protocol import AddressOwner, Store

_log = logging.getLogger(__name__)

_FRESH_SECONDS = 5.0
"""How long facts count for other planes: the first pods of several planes start together."""
_RETRY_SECONDS = 10.0
MOST_LOGGED = 64
_UID = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.:]{0,127}")


class LostRecords:
    """Completes the records of planes.

    Args:
        in_use: what is in use on this node.
        store: planes, namespaces and the address book.
        node: the name of this node.
        clock: for how long facts count.
        metrics: counts the addresses.
    """

    def __init__(
        self, in_use: AddressesInUse, store: Store, node: str, clock: Clock, metrics: Metrics
    ) -> None:
        self._in_use = in_use
        self._store = store
        self._node = node
        self._clock = clock
        self._locks = KeyedLocks()
        self._facts: tuple[float, tuple[Fact, ...]] | None = None
        self._held = metrics.counter(
            "addresses_found_in_use", "addresses in use that had no record and are held since"
        )

    async def run(self) -> None:
        """Complete the planes whose addresses are in use, once; others wait for their first pod."""
        while True:
            try:
                facts = await self._recent_facts()
                for plane in self._store.catalog.planes:
                    if _is_used(plane, facts):
                        await self.complete(plane)
            except PlanesError as error:
                _log.warning("cannot look for addresses in use", extra={"error": str(error)})
                await self._clock.sleep(_RETRY_SECONDS)
            else:
                return

    async def complete(self, plane: Plane) -> None:
        """Hold what is in use of a plane, unless that was done.

        Raises:
            Unavailable: what is in use cannot be found out now.
        """
        async with self._locks.hold(plane.name):
            if self._store.addresses.is_complete(plane.name):
                return
            try:
                found = await self.plan(plane, await self._recent_facts(), is_of_node=True)
                await self.hold(plane, found)
                await self._recover(plane, found)
                await self._store.addresses.set_complete(plane.name)
            except PlanesError as error:
                raise Unavailable(
                    f"cannot take an address in plane {plane.name} yet: this node has no records "
                    f"of its addresses, and what is in use cannot be found out: {error.message}",
                    remedy=error.remedy or "it is tried again",
                ) from error

    async def plan(
        self, plane: Plane, facts: Iterable[Fact], *, is_of_node: bool = False
    ) -> tuple[Adoption, ...]:
        """Return what facts mean for a plane; nothing is changed.

        Args:
            plane: the plane.
            facts: of all sources.
            is_of_node: only what this node holds counts. What is in use here must not be handed out
                here, whoever else says in the API server that he holds it.

        Raises:
            PlanesError: the plane's address book cannot be read.
        """
        holders = await self._store.addresses.holders(plane.name)
        held = {
            address: user_of(owner)
            for address, owner in holders.items()
            if not is_of_node or owner.node in {"", self._node}
        }
        return adoptions(plane, facts, held, lambda namespace: self._is_joined(plane, namespace))

    async def hold(self, plane: Plane, found: Iterable[Adoption]) -> tuple[IPAddress, ...]:
        """Record the addresses that are to be held; return those that were not.

        Raises:
            PlanesError: the address book cannot be written.
        """
        due = [one for one in found if one.verdict is Verdict.HOLD]
        held = await self._store.addresses.hold(
            plane.name, _by_owner(due, self._node), cooldown_seconds=plane.cooldown_seconds
        )
        self._held.inc(len(held))
        for one in [one for one in due if one.address in held][:MOST_LOGGED]:
            _log.warning("holding an address that is in use", extra=_facts_of(plane, one))
        if len(held) > MOST_LOGGED:
            facts = {"plane": plane.name, "addresses": len(held)}
            _log.warning("holding addresses that are in use", extra=facts)
        return held

    async def _recover(self, plane: Plane, found: Iterable[Adoption]) -> None:
        """Make records again of static addresses that the cluster has this node's pods hold."""
        book = self._store.addresses
        held = await book.held_by_others(frozenset())
        recorded = {one for each in held if each.plane == plane.name for one in each.addresses}
        due = [
            one.address
            for one in found
            if one.verdict is Verdict.HELD and one.address not in recorded
        ]
        holders = await book.holders(plane.name) if due else {}
        for address in due:
            owner = holders.get(address)
            if owner is not None and owner.node == self._node and owner.container_id:
                refused = await book.adopt(plane, owner, [address])
                facts = {"plane": plane.name, "address": str(address), "refused": list(refused)}
                _log.warning("made the record of a static address again", extra=facts)

    async def _recent_facts(self) -> tuple[Fact, ...]:
        # What was attached since the older ones is in the journal.
        async with self._locks.hold(None):
            now = self._clock.monotonic()
            if self._facts is None or now - self._facts[0] > _FRESH_SECONDS:
                self._facts = now, await self._in_use.unjournaled()
            return (*self._in_use.journaled(), *self._facts[1])

    def _is_joined(self, plane: Plane, namespace: str) -> bool:
        known = self._store.namespace(namespace)
        return known is not None and plane.joined_by(known)


def _is_used(plane: Plane, facts: Iterable[Fact]) -> bool:
    return plane.ipam_mode is IpamMode.PLANE and any(
        plane.subnet_of(fact.address) is not None for fact in facts
    )


def user_of(owner: AddressOwner) -> AddressUser:
    """Return the owner of a record as a user of addresses."""
    return AddressUser(owner.container_id, owner.interface, owner.namespace, owner.pod, owner.uid)


def owner_of(user: AddressUser, node: str) -> AddressOwner:
    """Return whom a record is for; its container ID stands for the sandbox where it is unknown.

    Names that were read somewhere become names of records and of requests: others are left out.
    """
    known = is_dns_label(user.namespace) and is_dns_subdomain(user.pod)
    return AddressOwner(
        user.identity,
        user.interface if _is_ifname(user.interface) else NO_INTERFACE,
        user.namespace if known else "",
        user.pod if known else "",
        user.uid if known and _UID.fullmatch(user.uid) else "",
        node,
    )


def _is_ifname(text: str) -> bool:
    try:
        check_ifname(text)
    except BadInput:
        return False
    return text.isprintable()


def _by_owner(found: Iterable[Adoption], node: str) -> Mapping[AddressOwner, Sequence[IPAddress]]:
    by_key: dict[tuple[str, str], tuple[AddressOwner, list[IPAddress]]] = {}
    for one in found:
        owner = owner_of(one.user, node)
        key = owner.container_id, owner.interface
        by_key.setdefault(key, (owner, []))[1].append(one.address)
    return dict(by_key.values())


def _facts_of(plane: Plane, one: Adoption) -> dict[str, object]:
    return {
        "plane": plane.name,
        "address": str(one.address),
        "holder": str(one.user),
        "sources": list(one.sources),
        **({"doubts": list(one.doubts)} if one.doubts else {}),
    }
