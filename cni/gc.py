"""GC: releasing what the runtime no longer lists, ours and the plugins'.

Invariant: only calls of the very network that GC names are judged, and nothing is judged without
a list: an absent one would mean "tear everything down".
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from cni.attachment import PlannedAttachment
from cni.chain import Chains
from cni.entry import Entry, Key, whose
from cni.journal import Journal
from cni.leave import Leaver
from cni.networks import Network, Networks
from cni.plugin import Call
from planes.model.decode import Fields
from planes.model.errors import BadInput, Internal, JsonObject, PlanesError
from planes.run.logs import bind

_log = logging.getLogger(__name__)

_KEY = "cni.dev/valid-attachments"


class Collector:
    """Collects garbage; the caller sees to it that no other call runs.

    Args:
        is_aside: tells of a sandbox that recovery is releasing now: it is left alone.
    """

    def __init__(
        self,
        journal: Journal,
        leaver: Leaver,
        networks: Networks,
        chains: Chains,
        is_aside: Callable[[str], bool] = lambda _container_id: False,
    ) -> None:
        self._journal = journal
        self._leaver = leaver
        self._networks = networks
        self._chains = chains
        self._is_aside = is_aside

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
        others: list[Entry] = []
        for entry in self._journal.entries():
            if entry.network != fields.string("name") or self._is_aside(entry.container_id):
                others.append(entry)
                continue
            if entry.key in valid:
                kept.append(entry)
                continue
            with bind(**whose(entry)):
                _log.info("collecting")
                outcome = await self._leaver.leave(entry)
            errors.extend(failure.error for failure in outcome.failures)
        errors += await self._forward(conf, cni_path, (kept, others), valid)
        if errors:
            raise Internal(f"cannot release everything: {' | '.join(map(str, errors))}")

    async def _forward(
        self,
        conf: JsonObject,
        cni_path: tuple[str, ...],
        held: tuple[list[Entry], list[Entry]],
        listed: set[Key],
    ) -> list[PlanesError]:
        """Run GC of the default network and of the networks that kept calls are attached to.

        Calls that another name came with are told as valid too: one network hot-plugged, or a
        sandbox from before the default network was renamed. They are in use all the same.

        A sandbox that the runtime lists and we do not know was attached by somebody else before
        us: then we cannot list its planes, and no plane's plugin is told to collect.
        """
        kept, others = held
        networks: list[PlannedAttachment] = []
        if listed <= {entry.key for entry in kept}:
            networks += _differing(one for entry in kept for one in entry.attachments)
        valid = _in_use((*kept, *others))
        errors: list[PlanesError] = []
        try:
            default = await self._networks.default(conf)
        except PlanesError as error:
            errors.append(error)
        else:
            if default is not None:
                attachment = PlannedAttachment(default.name, default.conflist, "")
                networks = [*(one for one in networks if not _is_older(one, default)), attachment]
                networks = _differing(networks)
                # A plane's network may bear the same name, and so share the plugin's addresses.
                known = valid.setdefault(default.conflist.name, [])
                given = [_listed(*key) for key in sorted(listed)]
                known += [one for one in given if one not in known]
        call = Call("", "", "", cni_path=cni_path)
        for network in networks:
            errors += await self._chains.collect(call, network, valid[network.conflist.name])
        return errors


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
