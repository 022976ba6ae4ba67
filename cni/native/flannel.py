"""Type `flannel`: turns the node's lease (subnet.env) into a configuration for another type.

The lease is read anew for each ADD, since flanneld rewrites it. The generated configuration is
kept in a file per container, as the reference plugin keeps it, and is what a DEL goes by.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from cni.completion import complete
from cni.data_dirs import DataDirs
from cni.ipam.ipams import PluginLookup
from cni.native.flannel_conf import FlannelConf, delegate_conf, read_flannel_conf
from cni.native.flannel_files import drop_state, load_state, read_lease, save_state
from cni.native.rollback import rollback
from cni.plugin import Call, NativePlugin, Plugin
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result


class Flannel:
    """The type.

    Args:
        natives: types carried out here, to delegate to.
        lookup: gives the plugin that executes any other type's binary.
        dirs: below which a netconf may have what is kept for each container.
        root: the host's root directory as we see it, where its lease is; "" where it is ours.
    """

    def __init__(
        self,
        natives: Mapping[str, NativePlugin],
        lookup: PluginLookup,
        dirs: DataDirs,
        root: str = "",
    ) -> None:
        self._natives = natives
        self._lookup = lookup
        self._dirs = dirs
        self._root = root

    def unsupported(self, conf: NetConf) -> str:
        """Why this netconf must go to the binary: never."""
        return ""

    def links(self, call: Call, conf: NetConf) -> tuple[str, ...]:
        """The sandbox interfaces to remove; none where the delegate is a binary."""
        delegate = conf.fields().child("delegate")
        kind = (delegate.string("type") if delegate is not None else "") or "bridge"
        return (call.ifname,) if kind in self._natives else ()

    async def add(self, call: Call, conf: NetConf) -> Result:
        """Attach.

        Raises:
            PlanesError: there is no lease, or the delegate fails; nothing is left.
        """
        read = self._read(call, conf)
        lease = await asyncio.to_thread(read_lease, read.subnet_file, self._root)
        generated = delegate_conf(read, lease)
        before = await asyncio.to_thread(load_state, read.data_dir, call.container_id)
        async with rollback() as undo:
            undo.push(lambda: self._restore(read, call, before))
            await complete(
                asyncio.to_thread(save_state, read.data_dir, call.container_id, generated)
            )
            return await self._delegate(generated).add(call, generated)

    async def check(self, call: Call, conf: NetConf) -> None:
        """Raise where the delegate's CHECK does; without state there is nothing to compare.

        Raises:
            PlanesError: as the delegate.
        """
        read = self._read(call, conf)
        generated = await asyncio.to_thread(load_state, read.data_dir, call.container_id)
        if generated is not None:
            with_previous = _with_previous(generated, conf)
            await self._delegate(with_previous).check(call, with_previous)

    async def delete(self, call: Call, conf: NetConf) -> None:
        """Detach by the kept configuration; without one there is nothing to do.

        Raises:
            PlanesError: something is left.
        """
        if self._is_foreign(call, conf):
            return
        read = self._read(call, conf)
        generated = await asyncio.to_thread(load_state, read.data_dir, call.container_id)
        if generated is not None:
            kept = _with_previous(generated, conf)
            await self._delegate(kept).delete(call, kept)
            await complete(self._forget(read, call))

    async def release(self, call: Call, conf: NetConf) -> None:
        """Detach what is left after the link is gone.

        Raises:
            PlanesError: something is left.
        """
        if self._is_foreign(call, conf):
            return
        read = self._read(call, conf)
        generated = await asyncio.to_thread(load_state, read.data_dir, call.container_id)
        if generated is None:
            return
        kept = _with_previous(generated, conf)
        delegate = self._delegate(kept)
        native = self._natives.get(kept.type)
        if native is delegate and native is not None:
            await native.release(call, kept)
        else:
            await delegate.delete(call, kept)
        await complete(self._forget(read, call))

    def local_release(self, call: Call, conf: NetConf) -> None:
        """Give no blocking step: the delegate may have to be awaited."""

    async def status(self, call: Call, conf: NetConf) -> None:
        """Raise where an ADD would be bound to fail: without a lease.

        Raises:
            NotFound: flanneld has not written one yet.
        """
        await asyncio.to_thread(read_lease, read_flannel_conf(conf).subnet_file, self._root)

    def _read(self, call: Call, conf: NetConf) -> FlannelConf:
        read = read_flannel_conf(conf)
        if not call.is_confined:
            return read
        return replace(read, data_dir=self._dirs.confined(read.data_dir))

    def _is_foreign(self, call: Call, conf: NetConf) -> bool:
        """Tell whether nothing was ever kept for it: its ADD was refused."""
        data_dir = read_flannel_conf(conf).data_dir
        return call.is_confined and self._dirs.find(data_dir) is None

    def _delegate(self, generated: NetConf) -> Plugin:
        native = self._natives.get(generated.type)
        if native is not None and not native.unsupported(generated):
            return native
        return self._lookup(generated.type)

    async def _restore(self, read: FlannelConf, call: Call, before: NetConf | None) -> None:
        """Put back what was kept: it may be that of the container's first flannel attachment."""
        if before is None:
            await self._forget(read, call)
        else:
            await asyncio.to_thread(save_state, read.data_dir, call.container_id, before)

    async def _forget(self, read: FlannelConf, call: Call) -> None:
        await asyncio.to_thread(drop_state, read.data_dir, call.container_id)


def _with_previous(generated: NetConf, conf: NetConf) -> NetConf:
    """Hand the attachment's own result on: kept configurations have none."""
    previous = conf.fields().object("prevResult")
    if previous is None:
        return generated
    return NetConf({**generated.raw, "prevResult": previous})
