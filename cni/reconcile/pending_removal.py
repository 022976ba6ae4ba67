"""Drop what can never be detached, for `netplane-cni forget`: its plugin is gone, for example.

Invariant: everything that can be detached is detached first, and each dropped attachment is
reported, with container, network, addresses and rules. Plane addresses and allocations of
host-local are released, unless an interface still has them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cni.attaching.teardown import Teardown
from cni.journal.damaged import Damaged
from cni.journal.entry import FAULT_SEPARATOR, Entry, log_fields
from cni.journal.error_subject import ErrorSubject
from cni.journal.journal import Journal
from cni.journal.pending import one_line
from cni.planning.host_ports import host_ports
from cni.plugins.attachment import PlannedAttachment
from cni.reconcile.orphans import Orphans
from cni.serving.call_locks import CallLocks
from planes.model.errors import BadInput, Conflict, JsonObject, NotFound
from planes.run.logs import bind

_log = logging.getLogger(__name__)

_SHORTEST: Final = 8  # characters of an abbreviated container ID
_MOST_PORTS: Final = 16


@dataclass(frozen=True, slots=True)
class GivenUp:
    """One attachment that was dropped without being detached.

    Attributes:
        container_id: the sandbox.
        pod: `namespace/name`, "" where unknown.
        network: the name of the network.
        ifname: the interface in the sandbox.
        addresses: the addresses of its result, with prefix lengths.
        rules: rules of the packet filter that its configuration implies.
        error: why it could not be detached.
    """

    container_id: str
    pod: str
    network: str
    ifname: str
    addresses: tuple[str, ...]
    rules: tuple[str, ...]
    error: str

    def to_json(self) -> JsonObject:
        """Return it for logs and responses."""
        return {
            "container_id": self.container_id,
            "pod": self.pod,
            "network": self.network,
            "ifname": self.ifname,
            "addresses": list(self.addresses),
            "rules": list(self.rules),
            "error": self.error,
        }


def text_of(given: JsonObject) -> str:
    """Return one line about a dropped attachment; `given` is of `GivenUp.to_json`."""
    pod = f" (pod {given['pod']})" if given["pod"] else ""
    kept = [f"interface {given['ifname']}"]
    if given["addresses"]:
        kept.append(f"addresses {', '.join(given['addresses'])}")
    kept += given["rules"]
    cause = f"; it could not be detached: {given['error']}" if given["error"] else ""
    return (
        f"container {given['container_id']}{pod}, network {given['network']}: "
        f"{', '.join(kept)} may be left on this node{cause}"
    )


class PendingRemoval:
    """Drops journal entries at the request of an administrator."""

    def __init__(
        self, journal: Journal, teardown: Teardown, call_locks: CallLocks, orphans: Orphans
    ) -> None:
        self._journal = journal
        self._teardown = teardown
        self._call_locks = call_locks
        self._orphans = orphans

    async def forget(self, container: str, *, is_forced: bool) -> list[JsonObject]:
        """Detach what can be detached of a sandbox and drop the rest; return what was dropped.

        Args:
            container: its ID, or the first characters of it.
            is_forced: also where the sandbox still exists: its networks are detached.

        Raises:
            NotFound: the journal has no such container.
            BadInput: several containers match.
            Conflict: the sandbox exists, without `is_forced`.
            PlanesError: the journal cannot be written.
        """
        container_id = self._container_id(container)
        async with self._call_locks.sandbox(container_id):
            entries = [one for one in self._journal.entries() if one.container_id == container_id]
            damaged = [one for one in self._journal.damaged() if one.container_id == container_id]
            if not is_forced:
                await self._require_gone(container_id, entries, damaged)
            dropped: list[GivenUp] = []
            for entry in entries:
                with bind(**log_fields(entry)):
                    await self._teardown.tear_down_in_call(entry)
                left = self._journal.find(entry.key)
                if left is not None:
                    dropped += await self.drop(left)
        await self.release_sandbox(container_id)
        for one in damaged:
            await self._journal.forget_damaged(one)
        return [one.to_json() for one in dropped]

    async def forget_without_daemon(self, container: str, *, is_forced: bool) -> list[JsonObject]:
        """Open the journal and forget a container; see `forget`.

        Raises:
            PlanesError: see `forget`; or the journal cannot be read.
        """
        await self._journal.open()
        return await self.forget(container, is_forced=is_forced)

    async def drop(self, entry: Entry) -> list[GivenUp]:
        """Drop an entry as it is; the caller has locked its sandbox.

        Raises:
            PlanesError: the journal cannot be written.
        """
        dropped = [_given_up(entry, one) for one in entry.attachments]
        await self._journal.forget(entry.key)
        for one in dropped:
            facts = {**one.to_json(), "attempts": entry.attempts}
            _log.error("gave up what could not be detached", extra=facts)
        return dropped

    async def release_sandbox(self, container_id: str) -> None:
        """Release the addresses of a dropped sandbox, unless an interface has them."""
        await self._orphans.release_sandbox(container_id)

    def _container_id(self, container: str) -> str:
        known = {one.container_id for one in self._journal.entries()}
        known |= {one.container_id for one in self._journal.damaged() if one.container_id}
        if container in known:
            return container
        fits = [one for one in known if len(container) >= _SHORTEST and one.startswith(container)]
        if len(fits) > 1:
            raise BadInput(
                f"cannot forget container {container}: {len(fits)} containers begin with that",
                remedy="give more of its ID",
            )
        if not fits:
            raise NotFound(
                f"cannot forget container {container}: the journal has no such container",
                remedy=f"give its ID, or how that begins, {_SHORTEST} characters at least; "
                "netplane-cni pending lists what could not be detached",
            )
        return fits[0]

    async def _require_gone(
        self, container_id: str, entries: Sequence[Entry], damaged: Sequence[Damaged]
    ) -> None:
        """Raise where a sandbox still exists; see `forget`."""
        namespaces = {(one.netns, one.netns_inode): f"{one.namespace}/{one.pod}" for one in entries}
        namespaces |= {(one.netns, 0): "/" for one in damaged}
        for (netns, inode), pod in namespaces.items():
            if await self._teardown.is_alive(netns, inode):
                of_pod = "" if pod == "/" else f" of pod {pod}"
                raise Conflict(
                    f"cannot forget container {container_id}: its sandbox{of_pod} still lives",
                    remedy="delete the pod; or give --force, which takes its networks out of it "
                    "first and drops what cannot be taken out",
                )


def _given_up(entry: Entry, attachment: PlannedAttachment) -> GivenUp:
    result = attachment.result
    return GivenUp(
        container_id=entry.container_id,
        pod=f"{entry.namespace}/{entry.pod}" if entry.pod else "",
        network=attachment.network,
        ifname=attachment.ifname,
        addresses=() if result is None else tuple(ip.address for ip in result.ips),
        rules=_rules(attachment),
        error=one_line(_fault_of(entry, attachment)),
    )


def _fault_of(entry: Entry, attachment: PlannedAttachment) -> str:
    """Return the last error of one attachment; that of the entry where it has none of its own."""
    name = f"{ErrorSubject.of(attachment)}: "
    own = [one for one in entry.fault.split(FAULT_SEPARATOR) if one.startswith(name)]
    return own[0].removeprefix(name) if own else entry.fault


def _rules(attachment: PlannedAttachment) -> tuple[str, ...]:
    """Return the rules of the packet filter that its configuration implies, as text."""
    ports = [f"port {port} of the node" for port in host_ports(attachment)[:_MOST_PORTS]]
    masquerades = any(
        plugin.fields().raw("ipMasq") is True for plugin in attachment.conflist.plugins
    )
    return (*ports, *(("masquerading",) if masquerades else ()))
