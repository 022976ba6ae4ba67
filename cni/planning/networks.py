"""Configurations by name: the default network of a call, and the NAD of a selection.

Invariant: no configuration returned here executes our own plugin: that would recurse for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cni.confdir.default_network import ConfDir
from cni.confdir.files import is_ours
from planes.model.decode import Fields
from planes.model.errors import BadInput, Denied, JsonObject, NotFound
from planes.model.objects import Nad, NadRef
from planes.model.state.catalog import Catalog
from planes.model.wire.link_names import check_link_names
from planes.model.wire.netconf import ConfList, parse_conflist
from planes.store.protocol import Store

_WHAT: Final = "the network configuration"
_MOST_READ: Final = 256  # parsed NADs kept: more than the pods of a node use at a time


@dataclass(frozen=True, slots=True)
class Network:
    """A configuration, its name in status and events, and its NAD's resource, "" for none."""

    name: str
    conflist: ConfList
    resource: str = ""


class Networks:
    """Looks networks up.

    Args:
        store: has the NADs.
        conf_dir: has the default network.
        is_standalone: the netconf's `delegate` may be the default network.
    """

    def __init__(self, store: Store, conf_dir: ConfDir, *, is_standalone: bool) -> None:
        self._store = store
        self._conf_dir = conf_dir
        self._is_standalone = is_standalone
        self._read: dict[NadRef, tuple[Nad, ConfList]] = {}
        self._usable: ConfList | None = None  # the last default network, once it is checked

    async def default(
        self, conf: JsonObject, named: NadRef | None = None, catalog: Catalog | None = None
    ) -> Network | None:
        """Return the default network; None where the netconf has an empty `delegate`.

        There is none either where the netconf follows another plugin in a chain: it has a
        prevResult then.

        Args:
            conf: the netconf of the call.
            named: the NAD that a pod wants instead (`v1.multus-cni.io/default-network`).
            catalog: what the decision was made on; None for the current one.

        Raises:
            Unavailable: there is none (code 50).
            PlanesError: the NAD cannot be used.
        """
        if named is not None:
            return await self.named(named, catalog)
        fields = Fields(conf, _WHAT)
        delegate = fields.object("delegate") if self._is_standalone else None
        if delegate:
            what = f"{_WHAT}: delegate"
            found = usable(parse_conflist(delegate, default_name=fields.string("name"), what=what))
        elif delegate is not None or fields.has("prevResult"):
            return None
        else:
            name, found = await self._conf_dir.network()
            if found is not self._usable:  # the directory was read again
                self._usable = usable(found)
            return Network(name, found)
        return Network(found.name, found)

    async def named(self, ref: NadRef, catalog: Catalog | None = None) -> Network:
        """Return the network of a NAD, with its resource; see `nad`.

        Raises:
            PlanesError: the NAD cannot be used.
        """
        conflist = await self.nad(ref, catalog)
        resource = (catalog or self._store.catalog).resources.get(ref) or ""
        return Network(str(ref), conflist, resource)

    async def nad(self, ref: NadRef, catalog: Catalog | None = None) -> ConfList:
        """Return the configuration of a NAD.

        Args:
            ref: its name.
            catalog: what the decision was made on, so that the NAD is the one that was checked;
                None for the current one.

        Raises:
            NotFound: there is no such NAD, or no file of its name where it has no configuration.
            BadInput: its configuration cannot be used.
            Denied: it is a tenant's, and has the name of a network of the node.
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
        if self._store.catalog.nad_checks.policy.restricts(ref.namespace):
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
        """Refuse a tenant's network that has the name of a network of the node.

        Plugins find a network's files and rules by its name: host-local would take addresses out of
        the cluster network's directory, until there is none left for the node's pods.

        Raises:
            Denied: it has such a name.
        """
        if await self._conf_dir.has(conflist.name):
            raise Denied(
                f'cannot use the NAD {ref}: its network "{conflist.name}" has the name of a '
                "network of this node",
                remedy='give "name" in its spec.config another value',
            )


def usable(conflist: ConfList) -> ConfList:
    """Return a configuration after checking that it may be attached.

    Raises:
        BadInput: it executes our own plugin, or has link names that the kernel would change.
    """
    return check_link_names(sound(conflist))


def sound(conflist: ConfList) -> ConfList:
    """Return a configuration after checking that it does not execute our own plugin.

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
