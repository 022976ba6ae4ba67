"""Release, at DEL, the plane addresses of a sandbox that the journal does not have.

Such records were made for addresses in use whose records were lost, or that were taken over from
another IPAM (`cni.reconcile.lost_records`). The DEL names container, namespace and pod; any of them
may be what is known of the holder.

Invariant: an address is released only while no interface has it; `cni.reconcile.orphans` releases
the others later. A DEL never fails because of such a record.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from cni.attaching.detacher import LinkRemover
from cni.call import CniRequest
from cni.journal.journal import Journal
from cni.net.live_addresses import Live
from planes.model.decide.adoption import (
    NO_INTERFACE,
    is_adopted,
    pod_identity,
    sandbox_identity,
)
from planes.model.errors import PlanesError
from planes.model.state.claims import bare_address
from planes.model.wire.netconf import NetConf
from planes.store.plane_addresses import describe
from planes.store.protocol import AddressBook, AddressOwner, Held

_log = logging.getLogger(__name__)


class UnjournaledRecords:
    """Releases records at DEL.

    Args:
        journal: what is attached.
        addresses: the plane addresses.
        live: lists the addresses of all interfaces.
        links: removes links.
        is_standalone: a DEL is of one interface then; on a cluster it ends the sandbox.
    """

    def __init__(
        self,
        journal: Journal,
        addresses: AddressBook,
        live: Live,
        links: LinkRemover,
        *,
        is_standalone: bool,
    ) -> None:
        self._journal = journal
        self._addresses = addresses
        self._live = live
        self._links = links
        self._is_standalone = is_standalone

    async def release(self, request: CniRequest) -> None:
        """Release what is held for the sandbox of a DEL, after its links."""
        try:
            held = [one for one in await self._unjournaled() if self._is_of(one, request)]
            if held:
                await self._release(held, request.netns)
        except PlanesError as error:
            facts = {"container_id": request.container_id, "error": str(error)}
            _log.warning("addresses without a journal entry are released later", extra=facts)

    async def _release(self, held: list[Held], netns: str) -> None:
        names = tuple(dict.fromkeys(one.owner.interface for one in held))
        if netns and names:
            try:
                await self._links.remove_links(netns, names)
            except PlanesError as error:
                _log.warning("links are left to the sandbox", extra={"error": str(error)})
        live = await self._live.addresses([netns] if netns else [])
        for one in held:
            if live.isdisjoint(one.addresses):
                await self._addresses.give_back(one)
                _log.info(
                    "released addresses without a journal entry",
                    extra={
                        "plane": one.plane,
                        "ips": [str(address) for address in one.addresses],
                        "holder": describe(one.owner),
                    },
                )

    async def _unjournaled(self) -> tuple[Held, ...]:
        return await self._addresses.held_by_others(frozenset(self._attached()))

    def _attached(self) -> Iterable[tuple[str, str]]:
        for entry in self._journal.entries():
            for one in entry.attachments:
                yield entry.container_id, one.ifname

    def _is_of(self, held: Held, request: CniRequest) -> bool:
        owner = held.owner
        is_alone = self._is_standalone or request.is_delegated
        if is_alone and owner.interface not in {NO_INTERFACE, request.ifname}:
            return False
        if owner.container_id == request.container_id:
            return True
        return is_adopted(owner.container_id) and (
            _is_same_sandbox(owner, request) or _has_result(held, request)
        )


def _is_same_sandbox(owner: AddressOwner, request: CniRequest) -> bool:
    pod = request.pod
    if request.netns and owner.container_id == sandbox_identity(request.netns):
        return True
    if not (owner.pod and pod.name):
        return False
    if owner.container_id == pod_identity(pod.namespace, pod.name, pod.uid):
        return True
    same = (owner.namespace, owner.pod) == (pod.namespace, pod.name)
    return same and (not (owner.uid and pod.uid) or owner.uid == pod.uid)


def _has_result(held: Held, request: CniRequest) -> bool:
    """Report whether the result that the runtime cached has an address of the record."""
    try:
        result = NetConf(request.conf).prev_result()
    except PlanesError:
        return False
    ips = () if result is None else result.ips
    return any(bare_address(ip.address) in held.addresses for ip in ips)
