"""GC: releasing what the runtime no longer lists, ours and the plugins'.

Invariant: only calls of the very network that GC names are judged, and nothing is judged without
a list: an absent one would mean "tear everything down". What has a call in flight is in use.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from cni.attachment import PlannedAttachment
from cni.chain import Chains
from cni.collecting import Collecting
from cni.entry import Entry, Key, whose
from cni.gate import Gate
from cni.journal import Journal
from cni.leave import Leaver
from cni.networks import Network, Networks
from cni.plugin import Call
from planes.model.decode import Fields
from planes.model.errors import BadInput, Internal, JsonObject, PlanesError
from planes.run.logs import bind
from planes.store.protocol import AddressOwner

_log = logging.getLogger(__name__)

_KEY = "cni.dev/valid-attachments"


class Collector:
    """Collects garbage beside other calls.

    A sandbox with a call in flight is nobody's garbage, however the call ends: what it holds is
    told to the plugins as in use. So nobody has to wait for GC, nor GC for a call that hangs.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        leaver: Leaver,
        networks: Networks,
        chains: Chains,
        gate: Gate,
        collecting: Collecting,
    ) -> None:
        self._journal = journal
        self._leaver = leaver
        self._networks = networks
        self._chains = chains
        self._gate = gate
        self._collecting = collecting

    async def collect(self, conf: JsonObject, cni_path: tuple[str, ...]) -> None:
        """Tear down calls of this network that are not listed, then tell the plugins.

        Raises:
            BadInput: there is no list of valid attachments.
            Internal: something could not be released; all of it is told.
        """
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
            and not self._gate.is_busy(entry.container_id)
        ]
        found = await asyncio.gather(*(self._leave(entry) for entry in garbage))
        errors = [error for some in found for error in some]
        dropped = frozenset(entry.key for entry in garbage)
        errors += await self._forward(conf, cni_path, dropped, listed)
        if errors:
            raise Internal(f"cannot release everything: {' | '.join(map(str, errors))}")

    async def _leave(self, entry: Entry) -> list[PlanesError]:
        with bind(**whose(entry)):
            async with self._gate.call(entry.container_id):
                if self._journal.find(entry.key) is not entry:
                    return []  # a call that came in between has seen to it
                _log.info("collecting")
                try:
                    outcome = await self._leaver.leave_in_call(entry)
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
        """Run GC of the default network and of the networks that kept calls are attached to.

        Calls that another name came with are told as valid too: one network hot-plugged, or a
        sandbox from before the default network was renamed. They are in use all the same.

        A sandbox that the runtime lists and we do not know was attached by somebody else before
        us: then we cannot list its planes, and no plane's plugin is told to collect.
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
            # A plane's network may bear the same name, and so share the plugin's addresses.
            given = [_listed(*key) for key in sorted(listed)]
            return [*known, *(one for one in given if one not in known)]

        found = await asyncio.gather(
            *(self._tell(network, in_use, cni_path) for network in networks)
        )
        return [*errors, *(error for some in found for error in some)]

    async def _tell(
        self,
        network: PlannedAttachment,
        in_use: Callable[[str], list[JsonObject]],
        cni_path: tuple[str, ...],
    ) -> list[PlanesError]:
        """Run GC of one network, by what is in use at that moment."""
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
    """Give what is attached, by network."""
    valid: dict[str, list[JsonObject]] = {}
    for entry in entries:
        for one in entry.attachments:
            known = valid.setdefault(one.conflist.name, [])
            known.append(_listed(entry.container_id, one.ifname))
    return valid


def _is_older(attachment: PlannedAttachment, default: Network) -> bool:
    """Tell whether it is the default network as it was configured once: its plugin may be gone."""
    return attachment.is_default and attachment.conflist.name == default.conflist.name


def _differing(attachments: Iterable[PlannedAttachment]) -> list[PlannedAttachment]:
    """Give one of each configuration: two of one name may differ in where addresses are kept."""
    found: dict[str, list[PlannedAttachment]] = {}
    for one in attachments:
        known = found.setdefault(one.conflist.name, [])
        if all(other.conflist.raw != one.conflist.raw for other in known):
            known.append(one)
    return [one for known in found.values() for one in known]


def _listed(container_id: str, ifname: str) -> JsonObject:
    return {"containerID": container_id, "ifname": ifname}
