"""The types that are carried out in this process, by name."""

from __future__ import annotations

from collections.abc import Collection

from cni.ipam.ipams import Ipams, PluginLookup
from cni.native.macvlan import Macvlan
from cni.net.kernel import Kernel
from cni.plugin import NativePlugin, NativePlugins


def native_plugins(
    kernel: Kernel, ipams: Ipams, lookup: PluginLookup, *, disabled: Collection[str] = ()
) -> NativePlugins:
    """Give the native types.

    Args:
        kernel: carries out the kernel work.
        ipams: gives addresses.
        lookup: gives the plugin that executes a type's binary, for types that delegate.
        disabled: types to leave to their binaries.
    """
    types: dict[str, NativePlugin] = {
        "macvlan": Macvlan(kernel, ipams),
    }
    return {name: one for name, one in types.items() if name not in disabled}
