"""GC: releasing what the runtime no longer lists, ours and the plugins'.

Invariant: only calls of the very network that GC names are judged, and nothing is judged without
a list: an absent one would mean "tear everything down".
"""

from __future__ import annotations

import logging

from cni.attachment import PlannedAttachment
from cni.chain import Chains
from cni.entry import Entry, Key, whose
from cni.journal import Journal
from cni.leave import Leaver
from cni.networks import Networks
from cni.plugin import Call
from planes.model.decode import Fields
from planes.model.errors import BadInput, Internal, JsonObject, PlanesError

_log = logging.getLogger(__name__)

_KEY = "cni.dev/valid-attachments"


class Collector:
    """Collects garbage; the caller sees to it that no other call runs."""

    def __init__(
        self, journal: Journal, leaver: Leaver, networks: Networks, chains: Chains
    ) -> None:
        self._journal = journal
        self._leaver = leaver
        self._networks = networks
        self._chains = chains

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
        valid = {(one.string("containerID"), one.string("ifname")) for one in fields.children(_KEY)}
        errors: list[PlanesError] = []
        kept: list[Entry] = []
        for entry in self._journal.entries():
            if entry.network != fields.string("name"):
                continue
            if entry.key in valid:
                kept.append(entry)
                continue
            _log.info("collecting", extra=whose(entry))
            outcome = await self._leaver.leave(entry)
            errors.extend(failure.error for failure in outcome.failures)
        errors += await self._forward(conf, cni_path, kept, valid)
        if errors:
            raise Internal(f"cannot release everything: {' | '.join(map(str, errors))}")

    async def _forward(
        self,
        conf: JsonObject,
        cni_path: tuple[str, ...],
        kept: list[Entry],
        listed: set[Key],
    ) -> list[PlanesError]:
        """Run GC of the default network and of the networks that kept calls are attached to.

        A sandbox that the runtime lists and we do not know was attached by somebody else before
        us: then we cannot list its planes, and no plane's plugin is told to collect.
        """
        networks: dict[str, PlannedAttachment] = {}
        valid: dict[str, list[JsonObject]] = {}
        is_all_known = listed <= {entry.key for entry in kept}
        for entry in kept if is_all_known else ():
            for one in entry.attachments:
                name = one.conflist.name
                networks.setdefault(name, one)
                valid.setdefault(name, []).append(_listed(entry.container_id, one.ifname))
        errors: list[PlanesError] = []
        try:
            default = await self._networks.default(conf)
        except PlanesError as error:
            errors.append(error)
        else:
            if default is not None:
                name = default.conflist.name
                networks[name] = PlannedAttachment(default.name, default.conflist, "")
                # A plane's network may bear the same name, and so share the plugin's addresses.
                known = valid.setdefault(name, [])
                given = [_listed(*key) for key in sorted(listed)]
                known += [one for one in given if one not in known]
        call = Call("", "", "", cni_path=cni_path)
        for name, network in networks.items():
            errors += await self._chains.collect(call, network, valid[name])
        return errors


def _listed(container_id: str, ifname: str) -> JsonObject:
    return {"containerID": container_id, "ifname": ifname}
