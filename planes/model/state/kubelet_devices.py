"""Networks whose plugin needs a device: which do, and which of them cannot get one.

A device is allocated to a pod by the kubelet (device plugins) or the scheduler (resource claims),
under the name of a resource. The node looks it up by the resource that the NAD is annotated with
(`k8s.v1.cni.cncf.io/resourceName`). A network that needs a device is refused at admission where
neither that annotation nor its configuration says which.
"""

from __future__ import annotations

from typing import Final

from planes.model.names import RESOURCE_NAME_ANNOTATION, shown
from planes.model.objects import NadRef
from planes.model.state.spellings import Spellings
from planes.model.wire.netconf import ConfList, NetConf

NEEDS_DEVICE: Final = "NeedsDevice"
"""Reason of the conditions of a plane that is such a network."""
_BY_DEVICE: Final = frozenset({"sriov", "ib-sriov", "ib-sriov-cni", "accelerated-bridge", "rdma"})
"""Types that always need a device."""
_WITHOUT_DEVICE: Final = frozenset(
    {
        "bandwidth",
        "bond",
        "bridge",
        "cnv-bridge",
        "cnv-tuning",
        "dummy",
        "firewall",
        "flannel",
        "ib-ipoib",
        "ipoib",
        "ipvlan",
        "loopback",
        "macvlan",
        "portmap",
        "ptp",
        "route-override",
        "sbr",
        "tap",
        "cnv-tap",
        "tuning",
        "vlan",
        "vrf",
    }
)
"""Types that never need a device: a resource beside them is for the containers, such as RDMA, or
for another plugin of the list."""
_DEVICE_KEYS: Final = ("deviceID", "pciBusID", "device", "hwaddr", "kernelpath")


def lacking_device(conflist: ConfList, resource: str) -> str:
    """Return the type that needs a device although nothing says which, "" where there is none.

    Args:
        conflist: a NAD's configuration.
        resource: the resource that its NAD is annotated with, "" for none.
    """
    return "" if resource else needed_device(conflist, resource)


def needed_device(conflist: ConfList, resource: str) -> str:
    """Return the type that needs a device its configuration does not name, "" for none.

    Args:
        conflist: a NAD's configuration.
        resource: the resource that its NAD is annotated with, "" for none.
    """
    found = (plugin.type for plugin in conflist.plugins if _needs(plugin, resource))
    return next(found, "")


def _needs(plugin: NetConf, resource: str) -> bool:
    if plugin.type not in _BY_DEVICE and (not resource or plugin.type in _WITHOUT_DEVICE):
        return False
    keys = Spellings(plugin.raw)
    return not any(keys.texts(key) for key in _DEVICE_KEYS)


def no_device(ref: NadRef, lacking: str) -> tuple[str, str]:
    """Return why pods cannot use a network without its device, and what to do.

    Args:
        ref: its NAD.
        lacking: the result of `lacking_device`.
    """
    return (
        f"cannot use NAD {ref}: its type {shown(lacking)} needs a device, and nothing says which",
        f"annotate it with {RESOURCE_NAME_ANNOTATION}: the device plugin's resource; or name a "
        'device in its spec.config ("deviceID", for one pod of each node)',
    )
