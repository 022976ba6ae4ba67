"""GC: tear down what the runtime no longer lists as valid, and run the plugins' GC.

Invariant: only sandboxes of the network that GC names are torn down, and none without a list: an
absent one would mean all. A sandbox with a call in flight is in use.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from cni.attaching.collecting_networks import CollectingNetworks
from cni.attaching.teardown import Teardown
from cni.call import CniRequest
from cni.journal.entry import Entry, Key, log_fields
from cni.journal.journal import Journal
from cni.planning.networks import Network, Networks
from cni.plugins.attachment import PlannedAttachment
from cni.plugins.chain import Chains
from cni.plugins.plugin import Call
from cni.serving.call_locks import CallLocks
from cni.verbs.plugin_path import PluginPath
from planes.model.decode import Fields
from planes.model.errors import BadInput, Internal, JsonObject, PlanesError
from planes.run.logs import bind
from planes.store.protocol import AddressOwner

_log = logging.getLogger(__name__)

_KEY = "cni.dev/valid-attachments"


class GcHandler:
    """Handles GC, in parallel to other calls.

    A sandbox with a call in flight is not collected, whatever its outcome, and its attachments are
    valid in the plugins' GC. So no call waits for GC, and GC waits for no call that hangs.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        teardown: Teardown,
        networks: Networks,
        chains: Chains,
        call_locks: CallLocks,
        collecting: CollectingNetworks,
        path: PluginPath,
    ) -> None:
        self._journal = journal
        self._teardown = teardown
        self._networks = networks
        self._chains = chains
        self._call_locks = call_locks
        self._collecting = collecting
        self._path = path

    async def handle(self, request: CniRequest) -> bytes:
        """Tear down sandboxes of this network that are not listed, then run the plugins' GC.

        Raises:
            BadInput: there is no list of valid attachments.
            Internal: something could not be released; all errors are listed.
        """
        conf = request.conf
        cni_path = (await self._path.complete(request)).cni_path
        fields = Fields(conf, "the network configuration")
        if not fields.has(_KEY):
            raise BadInput(
                f"cannot collect garbage: the network configuration has no {_KEY}",
                remedy="the runtime must list the attachments that are valid",
            )
        listed = {
            (one.string("containerID"), one.string("ifname")) for one in fields.children(_KEY)
        }
        garbage = [
            entry
            for entry in self._journal.entries()
            if entry.network == fields.string("name")
            and entry.key not in listed
            and not self._call_locks.is_busy(entry.container_id)
        ]
        found = await asyncio.gather(*(self._tear_down(entry) for entry in garbage))
        errors = [error for some in found for error in some]
        dropped = frozenset(entry.key for entry in garbage)
        errors += await self._forward(conf, cni_path, dropped, listed)
        if errors:
            raise Internal(f"cannot release everything: {' | '.join(map(str, errors))}")
        return b""

    async def _tear_down(self, entry: Entry) -> list[PlanesError]:
        with bind(**log_fields(entry)):
            async with self._call_locks.call(entry.container_id):
                if self._journal.find(entry.key) is not entry:
                    return []  # a call that came in between has changed it
                _log.info("collecting")
                try:
                    outcome = await self._teardown.tear_down_in_call(entry)
                except PlanesError as error:
                    return [error]
        return [failure.error for failure in outcome.failures]

    async def _forward(
        self,
        conf: JsonObject,
        cni_path: tuple[str, ...],
        dropped: frozenset[Key],
        listed: set[Key],
    ) -> list[PlanesError]:
        """Run GC of the default network and of the networks that the kept entries are attached to.

        Entries of another network name are valid, too: one network hot-plugged, or a sandbox from
        before the default network was renamed.

        A sandbox that the runtime lists and the journal does not know was attached before us. Its
        planes cannot be listed, so GC is run for no plane.
        """
        kept = [
            entry
            for entry in self._journal.entries()
            if entry.network == conf.get("name") and entry.key in listed
        ]
        networks: list[PlannedAttachment] = []
        if listed <= {entry.key for entry in kept}:
            networks += _differing(one for entry in kept for one in entry.attachments)
        errors: list[PlanesError] = []
        of_default = ""
        try:
            default = await self._networks.default(conf)
        except PlanesError as error:
            errors.append(error)
        else:
            if default is not None:
                of_default = default.conflist.name
                attachment = PlannedAttachment(default.name, default.conflist, "", is_default=True)
                networks = [*(one for one in networks if not _is_older(one, default)), attachment]
                networks = _differing(networks)

        def in_use(name: str) -> list[JsonObject]:
            entries = [one for one in self._journal.entries() if one.key not in dropped]
            entries.sort(key=lambda one: one.network != conf.get("name"))
            known = _in_use(entries).get(name, [])
            if name != of_default:
                return known
            # A plane's network may have the same name, and so the same addresses of the plugin.
            given = [_listed(*key) for key in sorted(listed)]
            return [*known, *(one for one in given if one not in known)]

        found = await asyncio.gather(
            *(self._collect(network, in_use, cni_path) for network in networks)
        )
        return [*errors, *(error for some in found for error in some)]

    async def _collect(
        self,
        network: PlannedAttachment,
        in_use: Callable[[str], list[JsonObject]],
        cni_path: tuple[str, ...],
    ) -> list[PlanesError]:
        """Run GC of one network with what is in use at that moment."""
        name = network.conflist.name
        namespace = network.network.partition("/")[0] if "/" in network.network else ""
        call = Call(
            *("", "", ""),
            cni_path=cni_path,
            owner=AddressOwner("", "", namespace),
            is_cluster_network=network.is_cluster_network,
        )
        try:
            return await self._collecting.collect(
                name, lambda: self._chains.collect(call, network, in_use(name))
            )
        except PlanesError as error:
            return [error]


def _in_use(entries: Iterable[Entry]) -> dict[str, list[JsonObject]]:
    """Return the valid attachments by network name."""
    valid: dict[str, list[JsonObject]] = {}
    for entry in entries:
        for one in entry.attachments:
            known = valid.setdefault(one.conflist.name, [])
            known.append(_listed(entry.container_id, one.ifname))
    return valid


def _is_older(attachment: PlannedAttachment, default: Network) -> bool:
    """Report whether it is the default network, perhaps with an older configuration."""
    return attachment.is_default and attachment.conflist.name == default.conflist.name


def _differing(attachments: Iterable[PlannedAttachment]) -> list[PlannedAttachment]:
    """Return one of each configuration: two of one name may keep addresses in different places."""
    found: dict[str, list[PlannedAttachment]] = {}
    for one in attachments:
        known = found.setdefault(one.conflist.name, [])
        if all(other.conflist.raw != one.conflist.raw for other in known):
            known.append(one)
    return [one for known in found.values() for one in known]


def _listed(container_id: str, ifname: str) -> JsonObject:
    return {"containerID": container_id, "ifname": ifname}
