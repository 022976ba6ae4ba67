"""The plugins: native types, IPAM types, and binaries."""

from __future__ import annotations

from dataclasses import dataclass

from cni.composition.shared import Shared
from cni.host.data_dirs import DataDirs
from cni.ipam.ipams import Ipams
from cni.plugins.chain import Chains, Plugins
from cni.plugins.exec_plugin import ExecPlugin


@dataclass(frozen=True, slots=True)
class PluginParts:
    """What executes conflists, netconfs and IPAM."""

    chains: Chains
    plugins: Plugins
    ipams: Ipams


def make_plugins(shared: Shared) -> PluginParts:
    """Make them; all binaries run by the turns of `shared`."""
    settings, environment = shared.settings, shared.environment

    def binary(kind: str) -> ExecPlugin:
        return ExecPlugin(environment.system, kind, settings.plugin_deadline, shared.plugin_turns)

    ipams = Ipams(
        shared.addresses,
        lambda: environment.store.catalog,
        binary,
        disabled=settings.not_native,
        dirs=DataDirs(settings.data_dirs),
        root=settings.host_root,
        used=shared.used_networks,
        conflicts=shared.conflicts,
    )
    plugins = Plugins(
        environment.kernel.native(ipams, binary),
        environment.system,
        settings.plugin_deadline,
        shared.plugin_turns,
    )
    return PluginParts(Chains(plugins, ipams), plugins, ipams)
