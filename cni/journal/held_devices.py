"""Devices that journaled attachments have: a device is one attachment's at a time.

Invariant: an attachment that could not be detached keeps its device. Those of an earlier boot of
the machine have none: their namespaces are gone, and the devices are back on the node.
"""

from __future__ import annotations

from dataclasses import dataclass

from cni.journal.entry import Entry
from cni.journal.error_subject import ErrorSubject
from cni.journal.journal import Journal
from cni.plugins.attachment import PlannedAttachment
from planes.model.decide.device_assignment import device_key
from planes.model.errors import Unavailable
from planes.model.names import shown


@dataclass(frozen=True, slots=True)
class DeviceHolder:
    """The attachment that has a device."""

    entry: Entry
    attachment: PlannedAttachment

    def __str__(self) -> str:
        pod = f"{self.entry.namespace}/{self.entry.pod}" if self.entry.pod else "a container"
        return f"{self.attachment.ifname} of {pod} (sandbox {self.entry.container_id[:13]})"


def held_devices(journal: Journal, but: Entry | None = None) -> dict[str, DeviceHolder]:
    """Return the attachments that have a device, by `device_key`.

    Args:
        journal: the journal.
        but: an entry whose devices do not count.
    """
    found: dict[str, DeviceHolder] = {}
    for entry in journal.entries():
        if (but is not None and entry.key == but.key) or journal.is_of_earlier_boot(entry):
            continue
        for one in entry.attachments:
            if one.device is not None and one.device.device_id:
                found[device_key(one.device.resource, one.device.device_id)] = DeviceHolder(
                    entry, one
                )
    return found


def check_held_devices(entry: Entry, journal: Journal) -> None:
    """Refuse a plan whose device another attachment has got since it was planned.

    Raises:
        Unavailable: another attachment has it.
    """
    wanted = [one for one in entry.attachments if one.device is not None and one.device.device_id]
    held = held_devices(journal, entry) if wanted else {}
    for one in wanted:
        device = one.device
        holder = held.get(device_key(device.resource, device.device_id)) if device else None
        if device is not None and holder is not None:
            raise Unavailable(
                f"cannot attach {ErrorSubject.of(one)} on node {entry.node}: device "
                f"{shown(device.device_id)} is in use by {holder}",
                remedy="it is free once that is detached",
            )
