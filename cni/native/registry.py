"""The plugin types that are carried out in this process, by name."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import Final

from cni.host.data_dirs import DataDirs
from cni.ipam.ipams import Ipams, PluginLookup
from cni.native.device_records import DEVICE_RECORDS, DeviceRecords
from cni.native.engine import Engine
from cni.native.masquerade import Masquerade
from cni.native.packet_filter import PacketFilter
from cni.native.plugin import NativeType, SteppedPlugin
from cni.native.spoof_check import SpoofCheck
from cni.native.types.bandwidth import Bandwidth
from cni.native.types.bridge import Bridge
from cni.native.types.dummy import Dummy
from cni.native.types.firewall import Firewall
from cni.native.types.flannel import Flannel
from cni.native.types.host_device import HostDevice
from cni.native.types.ipvlan import Ipvlan
from cni.native.types.loopback import Loopback
from cni.native.types.macvlan import Macvlan
from cni.native.types.portmap import Portmap
from cni.native.types.ptp import PointToPoint
from cni.native.types.sbr import Sbr
from cni.native.types.sriov import Sriov
from cni.native.types.sriov_holds import VfHolds
from cni.native.types.tuning import Tuning
from cni.native.types.vlan import Vlan
from cni.native.types.vrf import Vrf
from cni.net.execute import Tools
from cni.net.kernel import Kernel
from cni.net.pci_functions import PciFunctions
from cni.plugins.plugin import NativePlugin, NativePlugins

_INDEPENDENT: Final = frozenset({"bridge", "dummy", "ipvlan", "macvlan", "vlan"})
"""Types whose ADD may begin while those before it wait; see `SteppedPlugin`."""
_DEFAULT_RECORDS: Final = Path("/var/lib/netplane") / DEVICE_RECORDS
VF_HOLDS: Final = Path("/var/lib/cni/sriov")
"""Where sriov-cni has its files, which it shares with us."""


def native_plugins(
    kernel: Kernel,
    ipams: Ipams,
    lookup: PluginLookup,
    *,
    disabled: Container[str] = (),
    dirs: DataDirs | None = None,
    root: str = "",
    records: Path = _DEFAULT_RECORDS,
    vf_holds: Path = VF_HOLDS,
) -> NativePlugins:
    """Return the native types.

    Args:
        kernel: does the kernel work.
        ipams: the IPAM types.
        lookup: returns the plugin that executes a type's binary, for types that delegate.
        disabled: types that are left to their binaries.
        dirs: below which a tenant's netconf may have its files; None for the default.
        root: path of the host's root directory, for packet filter tools and flannel's lease; ""
            where it is ours.
        records: the folder with the records of devices that are in sandboxes.
        vf_holds: the folder that says which sandbox has which virtual function.
    """
    engine = Engine(kernel, ipams)
    confined = dirs or DataDirs()
    types = _types(kernel, confined, root, records, vf_holds)
    enabled = {name: one for name, one in types.items() if name not in disabled}
    native: dict[str, NativePlugin] = {
        name: SteppedPlugin(one, engine, ipams, is_independent=name in _INDEPENDENT)
        for name, one in enabled.items()
    }
    if "flannel" not in disabled:
        flannel = Flannel(enabled, lookup, confined, root)
        native["flannel"] = SteppedPlugin(flannel, engine, ipams, delegates=True)
    return native


def _types(
    kernel: Kernel, dirs: DataDirs, root: str, records: Path, vf_holds: Path
) -> dict[str, NativeType]:
    """Return the types that delegate to no other; see `native_plugins` for the arguments."""
    packet_filter = PacketFilter(kernel, Tools(root))
    masquerade = Masquerade(packet_filter)
    functions = PciFunctions(root)
    devices = DeviceRecords(records, functions=functions)
    return {
        "bandwidth": Bandwidth(),
        "bridge": Bridge(masquerade, SpoofCheck(packet_filter)),
        "dummy": Dummy(),
        "firewall": Firewall(packet_filter, root),
        "host-device": HostDevice(devices, functions),
        "ipvlan": Ipvlan(),
        "loopback": Loopback(),
        "macvlan": Macvlan(),
        "portmap": Portmap(packet_filter),
        "ptp": PointToPoint(masquerade),
        "sbr": Sbr(),
        "sriov": Sriov(VfHolds(vf_holds), devices, functions),
        "tuning": Tuning(dirs, root),
        "vlan": Vlan(),
        "vrf": Vrf(),
    }
