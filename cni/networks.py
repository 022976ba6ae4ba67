"""From names to configurations: the default network of a call, and the NAD of a selection.

Invariant: no configuration given out here leads back to us: that would never end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cni.conf_files import is_ours
from cni.default_network import ConfDir
from planes.model.decode import Fields
from planes.model.errors import BadInput, Denied, JsonObject, NotFound
from planes.model.objects import Nad, NadRef
from planes.model.state.catalog import Catalog
from planes.model.wire.link_names import check_link_names
from planes.model.wire.netconf import ConfList, parse_conflist
from planes.store.protocol import Store

_WHAT: Final = "the network configuration"
_MOST_READ: Final = 256  # of which we keep the reading: more than a node's pods use at a time


@dataclass(frozen=True, slots=True)
class Network:
    """A configuration and the name it goes by in status and events."""

    name: str
    conflist: ConfList


class Networks:
    """Looks networks up.

    Args:
        store: where NADs come from.
        conf_dir: where the default network comes from.
        is_standalone: the netconf's `delegate` may be the default network.
    """

    def __init__(self, store: Store, conf_dir: ConfDir, *, is_standalone: bool) -> None:
        self._store = store
        self._conf_dir = conf_dir
        self._is_standalone = is_standalone
        self._read: dict[NadRef, tuple[Nad, ConfList]] = {}

    async def default(
        self, conf: JsonObject, named: NadRef | None = None, catalog: Catalog | None = None
    ) -> Network | None:
        """Give the default network; None where the netconf says there is none.

        A netconf that follows another plugin in a chain (it has a prevResult) brings none of its
        own.

        Args:
            conf: the netconf of the call.
            named: the NAD that a pod wants instead (`v1.multus-cni.io/default-network`).
            catalog: what was decided on; the current one where nothing was.

        Raises:
            Unavailable: there is none (code 50).
            PlanesError: what is named instead cannot be used.
        """
        if named is not None:
            return Network(str(named), await self.nad(named, catalog))
        fields = Fields(conf, _WHAT)
        delegate = fields.object("delegate") if self._is_standalone else None
        if delegate:
            what = f"{_WHAT}: delegate"
            found = usable(parse_conflist(delegate, default_name=fields.string("name"), what=what))
        elif delegate is not None or fields.has("prevResult"):
            return None
        else:
            found = usable(await self._conf_dir.default())
        return Network(found.name, found)

    async def nad(self, ref: NadRef, catalog: Catalog | None = None) -> ConfList:
        """Give the configuration of a NAD.

        Args:
            ref: names it.
            catalog: what was decided on, so that what is run is what was judged; the current one
                where nothing was decided.

        Raises:
            NotFound: there is no such NAD, or no file of its name where it has no configuration.
            BadInput: its configuration cannot be used.
            Denied: a tenant wrote it, and gave it the name of a network of the node.
        """
        nad = (catalog or self._store.catalog).nads.get(ref)
        if nad is None:
            raise NotFound(
                f"cannot find the NAD {ref}", remedy="create it, or correct the pod's annotation"
            )
        if nad.fault:
            raise BadInput(nad.fault, remedy=nad.remedy)
        if not nad.config.strip():
            return usable(await self._conf_dir.named(nad.name))
        found = self._read_nad(nad)
        if self._store.catalog.gate.policy.restricts(ref.namespace):
            await self._refuse_names_of_the_node(ref, found)
        return found

    def _read_nad(self, nad: Nad) -> ConfList:
        ref = nad.ref
        known = self._read.get(ref)
        if known is not None and known[0] is nad:
            return known[1]
        found = usable(parse_conflist(nad.config, default_name=nad.name, what=f"the NAD {ref}"))
        if len(self._read) >= _MOST_READ:
            self._read.clear()
        self._read[ref] = nad, found
        return found

    async def _refuse_names_of_the_node(self, ref: NadRef, conflist: ConfList) -> None:
        """Keep a tenant's network off the name of one of the node's own.

        By a network's name plugins find its files and rules: host-local would take addresses out of
        the cluster network's directory, until no pod of the node finds one.
        """
        if await self._conf_dir.has(conflist.name):
            raise Denied(
                f'cannot use the NAD {ref}: its network "{conflist.name}" has the name of a '
                "network of this node",
                remedy='give "name" in its spec.config another value',
            )


def usable(conflist: ConfList) -> ConfList:
    """Give a configuration back that may be attached to.

    Raises:
        BadInput: it leads back to us, or names links that the kernel would name otherwise.
    """
    return check_link_names(sound(conflist))


def sound(conflist: ConfList) -> ConfList:
    """Give a configuration back that does not lead back to us.

    Raises:
        BadInput: it does.
    """
    for plugin in conflist.plugins:
        if is_ours(plugin.type):
            raise BadInput(
                f'cannot use network "{conflist.name}": its type {plugin.type} would call us again',
                remedy="name the cluster network itself",
            )
    return conflist
