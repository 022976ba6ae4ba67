"""Type `flannel`: makes a netconf for another type, the delegate, of the node's lease (subnet.env).

The lease is read anew for each ADD, since flanneld rewrites it. The generated netconf is kept in a
file per container, as the reference plugin does, and used by DEL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from cni.host.data_dirs import DataDirs
from cni.ipam.ipams import PluginLookup
from cni.native.plugin import LinkType, NativeType, checking, releasing
from cni.native.steps import Awaited, KernelStep, StepContext, Steps
from cni.native.types.flannel_conf import FlannelConf, delegate_conf, read_flannel_conf
from cni.native.types.flannel_files import KeptNetConf, read_lease
from cni.plugins.plugin import Call
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result


@dataclass(frozen=True, slots=True)
class _Generate(KernelStep[tuple[NetConf, NetConf | None]]):
    """Make the delegate's netconf of the lease, and keep it for DEL.

    Results in it, and in the one kept before, by an earlier ADD of the attachment.
    """

    read: FlannelConf
    file: KeptNetConf
    root: str

    def do(self, context: StepContext) -> tuple[NetConf, NetConf | None]:
        """Read the lease and write the file.

        Raises:
            NotFound: there is no lease.
            PlanesError: it is wrong, or the file cannot be written.
        """
        generated = delegate_conf(self.read, read_lease(self.read.subnet_file, self.root))
        before = self.file.load()
        self.file.save(generated)
        return generated, before

    def undo(self, context: StepContext, done: tuple[NetConf, NetConf | None]) -> None:
        """Keep the earlier netconf again, or none."""
        _generated, before = done
        if before is None:
            self.file.drop()
        else:
            self.file.save(before)


@dataclass(frozen=True, slots=True)
class _Kept(KernelStep[NetConf | None]):
    """Read the kept netconf; None where there is none."""

    file: KeptNetConf

    def do(self, context: StepContext) -> NetConf | None:
        """Return it."""
        return self.file.load()


@dataclass(frozen=True, slots=True)
class _Forget(KernelStep[None]):
    """Remove the kept netconf."""

    file: KeptNetConf

    def do(self, context: StepContext) -> None:
        """Remove it; none there is fine."""
        self.file.drop()


@dataclass(frozen=True, slots=True)
class _ReadLease(KernelStep[None]):
    """Check that the lease can be read."""

    path: str
    root: str

    def do(self, context: StepContext) -> None:
        """Read it.

        Raises:
            NotFound: flanneld has not written one yet.
        """
        read_lease(self.path, self.root)


class Flannel(LinkType):
    """Plugin type `flannel`.

    Args:
        natives: types carried out here, to delegate to.
        lookup: returns the plugin that executes the binary of any other type.
        dirs: below which a tenant's netconf may have the kept netconfs.
        root: path of the host's root directory, where its lease is; "" where it is ours.
    """

    def __init__(
        self,
        natives: Mapping[str, NativeType],
        lookup: PluginLookup,
        dirs: DataDirs,
        root: str = "",
    ) -> None:
        self._natives = natives
        self._lookup = lookup
        self._dirs = dirs
        self._root = root

    def links(self, call: Call, conf: NetConf) -> tuple[str, ...]:
        """Return the sandbox interfaces to remove; none where the delegate is a binary."""
        delegate = conf.fields().child("delegate")
        kind = (delegate.string("type") if delegate is not None else "") or "bridge"
        native = self._natives.get(kind)
        return () if native is None else native.links(call, conf)

    def attach(self, call: Call, conf: NetConf) -> Steps[Result]:
        """Make the delegate's netconf, and carry out its ADD.

        Raises:
            PlanesError: there is no lease, or the delegate fails.
        """
        read = self._read(call, conf)
        generated, _before = yield from _Generate(read, _file(call, read), self._root)
        native = self._native(generated)
        if native is not None:
            return (yield from native.attach(call, generated))
        return (yield from Awaited(partial(self._lookup(generated.type).add, call, generated)))

    def check(self, call: Call, conf: NetConf) -> Steps[None]:
        """Carry out the delegate's CHECK; do nothing without a kept netconf.

        Raises:
            PlanesError: as the delegate.
        """
        file = _file(call, self._read(call, conf))
        generated = yield from _Kept(file)
        if generated is None:
            return
        kept = _with_previous(generated, conf)
        native = self._native(kept)
        if native is not None:
            yield from checking(native, call, kept)
        else:
            yield from Awaited(partial(self._lookup(kept.type).check, call, kept))

    def leaves(self, call: Call, conf: NetConf) -> bool:
        """Return True: the kept netconf, and what the delegate leaves."""
        return True

    def detach(self, call: Call, conf: NetConf) -> Steps[None]:
        """Detach what is left, by the kept netconf; without one there is nothing to do.

        Raises:
            PlanesError: something is left.
        """
        if self._is_foreign(call, conf):
            return
        file = _file(call, self._read(call, conf))
        generated = yield from _Kept(file)
        if generated is None:
            return
        kept = _with_previous(generated, conf)
        native = self._native(kept)
        if native is not None:
            yield from releasing(native, call, kept)
        else:
            yield from Awaited(partial(self._lookup(kept.type).delete, call, kept))
        yield from _Forget(file)

    def status(self, call: Call, conf: NetConf) -> Steps[None]:
        """Check that there is a lease.

        Raises:
            NotFound: flanneld has not written one yet.
        """
        yield from _ReadLease(read_flannel_conf(conf).subnet_file, self._root)

    def _read(self, call: Call, conf: NetConf) -> FlannelConf:
        read = read_flannel_conf(conf)
        if not call.is_confined:
            return read
        return replace(read, data_dir=self._dirs.confined(read.data_dir))

    def _is_foreign(self, call: Call, conf: NetConf) -> bool:
        """Report whether nothing was ever kept for it: its ADD was refused."""
        data_dir = read_flannel_conf(conf).data_dir
        return call.is_confined and self._dirs.find(data_dir) is None

    def _native(self, generated: NetConf) -> NativeType | None:
        native = self._natives.get(generated.type)
        return native if native is not None and not native.unsupported(generated) else None


def _file(call: Call, read: FlannelConf) -> KeptNetConf:
    return KeptNetConf(read.data_dir, call.container_id, call.ifname, read.name)


def _with_previous(generated: NetConf, conf: NetConf) -> NetConf:
    """Return a kept netconf with the prevResult of the call: it has none itself."""
    previous = conf.fields().object("prevResult")
    if previous is None:
        return generated
    return NetConf({**generated.raw, "prevResult": previous})
