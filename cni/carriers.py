"""Who carries out networks, put together: native types, IPAM types and binaries in their turns."""

from __future__ import annotations

from dataclasses import dataclass

from cni.chain import Chains, Plugins
from cni.data_dirs import DataDirs
from cni.delegate import ExecPlugin
from cni.ipam.ipams import Ipams
from cni.native.registry import native_plugins
from cni.programs import Programs
from cni.settings import Settings
from cni.world import World


@dataclass(frozen=True, slots=True)
class Carriers:
    """Who carries out conflists, netconfs and IPAM."""

    chains: Chains
    plugins: Plugins
    ipams: Ipams


def make_carriers(settings: Settings, world: World, programs: Programs) -> Carriers:
    """Put them together for the daemon; `programs` says when a binary may run."""

    def binary(kind: str) -> ExecPlugin:
        return ExecPlugin(world.system, kind, settings.plugin_deadline, programs)

    dirs = DataDirs(settings.data_dirs)
    ipams = Ipams(
        world.store.addresses,
        lambda: world.store.catalog,
        binary,
        disabled=settings.not_native,
        dirs=dirs,
        root=settings.host_root,
    )
    native = native_plugins(
        world.kernel,
        ipams,
        binary,
        disabled=settings.not_native,
        dirs=dirs,
        root=settings.host_root,
    )
    plugins = Plugins(native, world.system, settings.plugin_deadline, programs)
    return Carriers(Chains(plugins, ipams, world.probe), plugins, ipams)
