"""All IPAM types behind one face: ours carried out here, any other by its binary.

A foreign type gets the whole configuration, as the spec's delegation says, and a DEL after an ADD
that failed. A result for an interface to use has no interfaces of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from cni.completion import complete
from cni.data_dirs import DataDirs
from cni.ipam.address_files import AddressFiles
from cni.ipam.host_local import HostLocal
from cni.ipam.plane import PlaneIpam
from cni.ipam.static import Static
from cni.plugin import Call, Plugin
from planes.model.errors import BadInput
from planes.model.state.catalog import Catalog
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result
from planes.store.protocol import AddressBook

PluginLookup = Callable[[str], Plugin]


class Ipam(Protocol):
    """One type. `release` may be called twice, and after an `add` that failed."""

    async def add(self, call: Call, conf: NetConf) -> Result:
        """Give addresses, routes and DNS."""
        ...

    async def release(self, call: Call, conf: NetConf) -> None:
        """Take them back."""
        ...

    async def check(self, call: Call, conf: NetConf) -> None:
        """Raise where they are no longer held."""
        ...

    async def status(self, call: Call, conf: NetConf) -> None:
        """Raise where an ADD would be bound to fail."""
        ...


class LocalIpam(Protocol):
    """A type that needs nothing but this host's files: its work can be part of a larger job.

    Both block, and are called in a thread.
    """

    def take(self, call: Call, conf: NetConf) -> Result:
        """Give addresses, routes and DNS, as `Ipam.add`."""
        ...

    def give_back(self, call: Call, conf: NetConf) -> None:
        """Take them back, as `Ipam.release`."""
        ...


class _Executed:
    """A type carried out by its binary."""

    def __init__(self, plugin: Plugin) -> None:
        self._plugin = plugin

    async def add(self, call: Call, conf: NetConf) -> Result:
        try:
            result = await self._plugin.add(call, conf)
        except BaseException:
            await complete(self._give_back(call, conf))
            raise
        return replace(
            result,
            interfaces=(),
            ips=tuple(replace(one, interface=None) for one in result.ips),
        )

    async def _give_back(self, call: Call, conf: NetConf) -> None:
        with suppress(Exception):  # the ADD's own error is the one to tell
            await self._plugin.delete(call, conf)

    async def release(self, call: Call, conf: NetConf) -> None:
        await self._plugin.delete(call, conf)

    async def check(self, call: Call, conf: NetConf) -> None:
        await self._plugin.check(call, conf)

    async def status(self, call: Call, conf: NetConf) -> None:
        await self._plugin.status(call, conf)


class Ipams:
    """The types of this process and a way to all others.

    Args:
        addresses: plane addresses.
        catalog: gives the current catalog.
        delegate: gives the plugin that executes a type's binary; the netconf it is called with
            stays that of the main plugin.
        disabled: types of ours to leave to their binaries.
        dirs: below which a netconf may have its files; None for the default.
        root: where the host's root directory is, "" where it is ours.
    """

    def __init__(
        self,
        addresses: AddressBook,
        catalog: Callable[[], Catalog],
        delegate: PluginLookup,
        *,
        disabled: Collection[str] = (),
        dirs: DataDirs | None = None,
        root: str = "",
    ) -> None:
        self._delegate = delegate
        local: dict[str, Static | HostLocal] = {
            "static": Static(),
            "host-local": HostLocal(AddressFiles(), dirs or DataDirs(), root),
        }
        types: dict[str, Ipam] = {**local, "plane": PlaneIpam(addresses, catalog)}
        self._types = {name: one for name, one in types.items() if name not in disabled}
        self._local = {name: one for name, one in local.items() if name not in disabled}

    def handles(self, ipam_type: str) -> bool:
        """Say whether a type is carried out here."""
        return ipam_type in self._types

    def local(self, conf: NetConf) -> LocalIpam | None:
        """Give the type of a netconf where it is local; None where it must be awaited."""
        return self._local.get(conf.ipam_type)

    async def add(self, call: Call, conf: NetConf) -> Result:
        """Give addresses, routes and DNS, without interface indexes.

        Raises:
            PlanesError: none can be had; then none are held.
        """
        return await self._of(conf).add(call, conf)

    async def release(self, call: Call, conf: NetConf) -> None:
        """Take back what the attachment holds; nothing held is fine.

        Raises:
            PlanesError: it could not be taken back.
        """
        await self._of(conf).release(call, conf)

    async def check(self, call: Call, conf: NetConf) -> None:
        """Raise where what was given is no longer held.

        Raises:
            PlanesError: it is not held, or the prevResult is missing.
        """
        await self._of(conf).check(call, conf)

    async def status(self, call: Call, conf: NetConf) -> None:
        """Raise where an ADD would be bound to fail.

        Raises:
            PlanesError: it would.
        """
        await self._of(conf).status(call, conf)

    def _of(self, conf: NetConf) -> Ipam:
        ipam_type = conf.ipam_type
        if not ipam_type:
            raise BadInput("cannot allocate addresses: ipam has no type")
        return self._types.get(ipam_type) or _Executed(self._delegate(ipam_type))
