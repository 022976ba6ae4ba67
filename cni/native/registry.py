"""The types that are carried out in this process, by name."""

from __future__ import annotations

from collections.abc import Collection

from cni.data_dirs import DataDirs
from cni.ipam.ipams import Ipams, PluginLookup
from cni.native.bridge import Bridge
from cni.native.flannel import Flannel
from cni.native.macvlan import Macvlan
from cni.native.masquerade import Masquerade
from cni.native.passing import Passing, bandwidth_work, portmap_work
from cni.net.execute import Tools
from cni.net.kernel import Kernel
from cni.plugin import NativePlugin, NativePlugins


def native_plugins(
    kernel: Kernel,
    ipams: Ipams,
    lookup: PluginLookup,
    *,
    disabled: Collection[str] = (),
    dirs: DataDirs | None = None,
    root: str = "",
) -> NativePlugins:
    """Give the native types.

    Args:
        kernel: carries out the kernel work.
        ipams: gives addresses.
        lookup: gives the plugin that executes a type's binary, for types that delegate.
        disabled: types to leave to their binaries.
        dirs: below which a netconf may have its files; None for the default.
        root: where the host's packet filter tools are run and flannel's lease is read; "" where
            ours is the host's.
    """
    types: dict[str, NativePlugin] = {
        "bridge": Bridge(kernel, ipams, Masquerade(kernel, Tools(root))),
        "macvlan": Macvlan(kernel, ipams),
    }
    native = {name: one for name, one in types.items() if name not in disabled}
    if "flannel" not in disabled:
        native["flannel"] = Flannel(dict(native), lookup, dirs or DataDirs(), root)
    passing = {"portmap": Passing(portmap_work), "bandwidth": Passing(bandwidth_work)}
    native.update((name, one) for name, one in passing.items() if name not in disabled)
    return native
