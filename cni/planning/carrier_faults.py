"""Pods on a master that is down: refused where a plane requires a carrier, or else warned.

The kernel makes a macvlan on a link without carrier, too, and the pod would run without reaching
any other. A bridge without an uplink is a network of its node alone, and is not checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Final

from cni.journal.entry import Entry
from cni.net.uplink_carrier import DeadLink, LinkUse, Uplink
from cni.plugins.attachment import PlannedAttachment
from planes.model.errors import PlanesError, Unavailable
from planes.model.events import Event
from planes.model.wire.netconf import ConfList

_BY_MASTER: Final = frozenset({"macvlan", "ipvlan", "vlan", "macvtap", "ipoib", "ib-ipoib"})
_OF_DEVICE: Final = frozenset({"sriov", "ib-sriov", "ib-sriov-cni"})
_OF_BRIDGE: Final = frozenset({"bridge", "cnv-bridge"})
_DEFAULT_BRIDGE: Final = "cni0"
_LONGEST_NAME: Final = 128  # of an alternative name, its final zero byte included

Dead = Mapping[Uplink, DeadLink]


def uplinks_of(attachment: PlannedAttachment) -> Iterator[Uplink]:
    """Yield the links of the host through which an attachment's frames leave the node.

    There are none for the cluster network, which is not checked here.
    """
    if not attachment.is_cluster_network:
        device = attachment.capability_args.get("deviceID")
        yield from uplinks_in(attachment.conflist, device)


def uplinks_in(conflist: ConfList, given_device: object = None) -> Iterator[Uplink]:
    """Yield the links of the host that the plugins of a network use.

    Args:
        conflist: the network.
        given_device: the device that the kubelet gave the pod, in place of the configuration's.
    """
    for plugin in conflist.plugins:
        fields = plugin.fields()  # the plugins read keys in any letter case
        if plugin.type in _BY_MASTER and not fields.raw("linkInContainer"):
            # without one, macvtap's is that of its device plugin
            if fields.raw("master") or plugin.type != "macvtap":
                yield from _named(LinkUse.MASTER, fields.raw("master") or "")
        elif plugin.type in _OF_BRIDGE:
            yield from _named(LinkUse.BRIDGE, fields.raw("bridge") or _DEFAULT_BRIDGE)
        elif plugin.type == "host-device" and fields.raw("device"):
            yield from _named(LinkUse.MOVED, fields.raw("device"))
        elif plugin.type in _OF_DEVICE:
            device = given_device or fields.raw("deviceID")
            yield from _named(LinkUse.FUNCTION, device)


def _named(use: LinkUse, name: object) -> Iterator[Uplink]:
    """Yield a link whose name the kernel accepts; any other is for the plugin to refuse."""
    if isinstance(name, str) and "\0" not in name and len(name) < _LONGEST_NAME:
        with suppress(UnicodeEncodeError):
            if len(name.encode()) < _LONGEST_NAME:
                yield Uplink(use, name)


def dead_faults(
    attachments: Iterable[PlannedAttachment], dead: Dead, node: str
) -> Iterator[PlanesError]:
    """Yield errors about attachments without carrier of planes that require one."""
    for attachment in attachments if dead else ():
        if attachment.needs_carrier:
            for found in _dead_of(attachment, dead):
                cause, look = _explain(found, node)
                yield Unavailable(
                    f"cannot pass frames: {cause}",
                    remedy=f"{look}; spec.network.requireCarrier: false of plane "
                    f"{attachment.plane} starts pods all the same",
                )


def warned(
    attachments: Iterable[PlannedAttachment], dead: Dead, node: str
) -> Iterator[PlannedAttachment]:
    """Yield attachments; those without carrier that belong to no plane get a warning."""
    for attachment in attachments:
        found = [] if attachment.plane or not dead else list(_dead_of(attachment, dead))
        if not found:
            yield attachment
            continue
        cause, look = _explain(found[0], node)
        text = f"{attachment.ifname} from {attachment.network} reaches nobody: {cause}; {look}"
        yield replace(attachment, warning=text)


def dead_events(entry: Entry) -> Iterator[Event]:
    """Yield an event for each attachment that has a warning."""
    for one in entry.attachments:
        if one.warning:
            pod = entry.namespace, entry.pod, entry.uid
            yield Event("MasterDown", one.warning, "Warning", *pod)


def _dead_of(attachment: PlannedAttachment, dead: Dead) -> Iterator[DeadLink]:
    yield from dict.fromkeys(dead[one] for one in uplinks_of(attachment) if one in dead)


def _explain(found: DeadLink, node: str) -> tuple[str, str]:
    """Return the cause and the remedy."""
    on_node = f" on node {node}" if node else ""
    if found.uplinks:
        ports = ", ".join(found.uplinks)
        return (
            f"none of the ports of {found.name}{on_node} is up with a carrier: {ports}",
            f"look at `ip link show master {found.name}`{on_node}",
        )
    if not found.is_up:
        return (
            f"interface {found.name}{on_node} is down",
            f"run `ip link set dev {found.name} up`{on_node}",
        )
    return (
        f"interface {found.name}{on_node} has no carrier",
        f"look at its cable, its switch port or the other end (`ip link show dev {found.name}`)"
        f"{on_node}",
    )
