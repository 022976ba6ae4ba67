"""All IPAM types by one interface: ours carried out here, any other by its binary.

A binary gets the whole configuration (CNI spec, "Delegated plugin execution") and a DEL after an
ADD that failed. The result of an IPAM type has no interfaces.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from cni.host.data_dirs import DataDirs
from cni.ipam.conflicts import AddressConflict, Conflicts, ignore_conflicts, static_in_use
from cni.ipam.host_local import HOST_LOCAL, HostLocal, directory_of
from cni.ipam.host_local_files import HostLocalFiles
from cni.ipam.plane import PlaneIpam
from cni.ipam.static import Static
from cni.ipam.used_networks import UsedNetworks
from cni.plugins.plugin import BinaryPlugin, Call
from planes.model.addresses import IPAddress
from planes.model.errors import BadInput
from planes.model.state.catalog import Catalog
from planes.model.state.supplies import PLANE_IPAM
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result
from planes.run.jobs import start
from planes.run.shielded import shielded
from planes.store.protocol import AddressBook

PluginLookup = Callable[[str], BinaryPlugin]


class IpamType(Protocol):
    """An IPAM type. `release` may be called twice, and after an `add` that failed."""

    async def add(self, call: Call, conf: NetConf) -> Result:
        """Return addresses, routes and DNS."""
        ...

    async def release(self, call: Call, conf: NetConf) -> None:
        """Release them."""
        ...

    async def check(self, call: Call, conf: NetConf) -> None:
        """Raise where they are no longer held."""
        ...

    async def status(self, call: Call, conf: NetConf) -> None:
        """Raise where an ADD cannot succeed (CNI STATUS)."""
        ...


class LocalIpam(Protocol):
    """A type that needs files of this host only, so that its work can be part of a larger job.

    Both methods block, and are called in a thread.
    """

    def take(self, call: Call, conf: NetConf) -> Result:
        """Return addresses, routes and DNS, as `IpamType.add`."""
        ...

    def give_back(self, call: Call, conf: NetConf) -> None:
        """Release them, as `IpamType.release`."""
        ...


class _Executed:
    """A type carried out by its binary."""

    def __init__(self, plugin: BinaryPlugin) -> None:
        self._plugin = plugin

    async def add(self, call: Call, conf: NetConf) -> Result:
        try:
            result = await self._plugin.add(call, conf)
        except BaseException:
            await shielded(self._delete(call, conf))
            raise
        return replace(
            result,
            interfaces=(),
            ips=tuple(replace(one, interface=None) for one in result.ips),
        )

    async def _delete(self, call: Call, conf: NetConf) -> None:
        with suppress(Exception):  # the ADD's own error is raised
            await self._plugin.delete(call, conf)

    async def release(self, call: Call, conf: NetConf) -> None:
        await self._plugin.delete(call, conf)

    async def check(self, call: Call, conf: NetConf) -> None:
        await self._plugin.check(call, conf)

    async def status(self, call: Call, conf: NetConf) -> None:
        await self._plugin.status(call, conf)


class _Claimed:
    """Addresses that were claimed before the interface was made; `Ipams.release` releases them."""

    def __init__(self, result: Result) -> None:
        self._result = result

    def take(self, call: Call, conf: NetConf) -> Result:
        return self._result

    def give_back(self, call: Call, conf: NetConf) -> None:
        """Do nothing: the claim is released by `Ipams.release`."""


class Ipams:
    """All IPAM types.

    Args:
        addresses: the address book of planes.
        catalog: returns the current catalog.
        delegate: returns the plugin that executes a type's binary, which is called with the netconf
            of the main plugin.
        disabled: types of ours that are left to their binaries.
        dirs: below which a tenant's netconf may have its files; None for the default.
        root: path of the host's root directory, "" where it is ours.
        used: records the directories of host-local; None for no record.
        conflicts: reports addresses that are in use on a plane's wire.
    """

    def __init__(
        self,
        addresses: AddressBook,
        catalog: Callable[[], Catalog],
        delegate: PluginLookup,
        *,
        disabled: Container[str] = (),
        dirs: DataDirs | None = None,
        root: str = "",
        used: UsedNetworks | None = None,
        conflicts: Conflicts = ignore_conflicts,
    ) -> None:
        self._used = used
        self._conflicts = conflicts
        self._delegate = delegate
        local: dict[str, Static | HostLocal] = {
            "static": Static(),
            HOST_LOCAL: HostLocal(HostLocalFiles(), dirs or DataDirs(), root, used),
        }
        self._local = {name: one for name, one in local.items() if name not in disabled}
        # A plane's addresses have no binary, so they cannot be left to one.
        self._types: dict[str, IpamType] = {
            **self._local,
            PLANE_IPAM: PlaneIpam(addresses, catalog, conflicts),
        }

    def handles(self, ipam_type: str) -> bool:
        """Report whether a type is carried out here."""
        return ipam_type in self._types

    def local(self, conf: NetConf) -> LocalIpam | None:
        """Return the type of a netconf where it is local; None where it must be awaited."""
        return self._local.get(conf.ipam_type)

    def ready(self, call: Call, conf: NetConf) -> LocalIpam | None:
        """Return the type that an ADD need not await for its addresses; None where it must."""
        claimed = self._claimed(call, conf)
        return self.local(conf) if claimed is None else _Claimed(claimed)

    async def claim(self, call: Call, conf: NetConf) -> Call:
        """Claim a plane's addresses before the interface is made; return the call with them.

        `release` releases them. For other IPAM types the call is unchanged.

        Raises:
            PlanesError: there are none; then none are held.
        """
        plane = self._types.get(conf.ipam_type)
        if not isinstance(plane, PlaneIpam):
            return call
        return plane.completed(call, conf, await plane.add(call, conf))

    async def replace(
        self,
        call: Call,
        conf: NetConf,
        found: Mapping[IPAddress, str],
        answered: Mapping[IPAddress, str],
        *,
        is_final: bool = False,
    ) -> Result:
        """Return other addresses in place of some in use on the wire; see `PlaneIpam.replace`.

        Raises:
            Conflict: there are no others, or none may be given.
            PlanesError: they cannot be claimed.
        """
        ipam = self._types.get(conf.ipam_type)
        if isinstance(ipam, PlaneIpam):
            return await ipam.replace(call, conf, found, answered, is_final=is_final)
        plane = call.probing.plane if call.probing is not None else ""
        self._conflicts(AddressConflict(plane, call.owner, found, is_asked_for=True))
        raise static_in_use(plane, found)

    async def add(self, call: Call, conf: NetConf) -> Result:
        """Return addresses, routes and DNS, without interface indexes.

        Raises:
            PlanesError: there are none; then none are held.
        """
        claimed = self._claimed(call, conf)
        return await self._of(conf).add(call, conf) if claimed is None else claimed

    async def release(self, call: Call, conf: NetConf) -> None:
        """Release the addresses of the attachment; none held is fine.

        Raises:
            PlanesError: they could not be released.
        """
        await self._of(conf).release(call, conf)

    async def prepare_execution(self, conf: NetConf) -> None:
        """Record the directory in which a binary is going to keep addresses, before it does.

        A power cut may leave its files without their content, so that a DEL does not find them.

        Raises:
            PlanesError: it cannot be recorded.
        """
        used = self._used
        if used is None or conf.ipam_type != HOST_LOCAL:
            return
        directory = directory_of(conf)
        if not used.has(directory):
            await shielded(start(lambda: used.note(directory)))

    async def check(self, call: Call, conf: NetConf) -> None:
        """Raise where the addresses are no longer held.

        Raises:
            PlanesError: it is not held, or the prevResult is missing.
        """
        await self._of(conf).check(call, conf)

    async def status(self, call: Call, conf: NetConf) -> None:
        """Raise where an ADD cannot succeed (CNI STATUS).

        Raises:
            PlanesError: it cannot.
        """
        await self._of(conf).status(call, conf)

    def _claimed(self, call: Call, conf: NetConf) -> Result | None:
        """Return the claim for this netconf; another one of the chain may name another plane."""
        one = self._types.get(conf.ipam_type)
        is_it = isinstance(one, PlaneIpam) and one.plane_name(conf) == call.plane
        return call.claimed if is_it else None

    def _of(self, conf: NetConf) -> IpamType:
        ipam_type = conf.ipam_type
        if not ipam_type:
            raise BadInput(
                "cannot allocate addresses: ipam has no type",
                remedy="set ipam.type in the network's configuration",
            )
        return self._types.get(ipam_type) or _Executed(self._delegate(ipam_type))
