"""The device of one attachment, as planned and journaled."""

from __future__ import annotations

from dataclasses import dataclass

from planes.model.decode import Fields
from planes.model.errors import JsonObject


@dataclass(frozen=True, slots=True)
class AttachedDevice:
    """The device that an attachment gets, and the file with information about it.

    Attributes:
        resource: as the NAD names it, "" where it names none.
        device_id: the allocated device; "" before it is looked up, or where there is none.
        info_file: path of the device information file that plugins get, "" for none.
        info: the device information for network-status; None where there is none.
    """

    resource: str = ""
    device_id: str = ""
    info_file: str = ""
    info: JsonObject | None = None

    def to_json(self) -> JsonObject:
        """Return the journaled form."""
        return {
            "resource": self.resource,
            "deviceID": self.device_id,
            "infoFile": self.info_file,
            "info": self.info,
        }


def read_attached_device(fields: Fields | None) -> AttachedDevice | None:
    """Read the journaled form; None where there is none.

    Raises:
        BadInput: a member has another type.
    """
    if fields is None:
        return None
    return AttachedDevice(
        resource=fields.string("resource"),
        device_id=fields.string("deviceID"),
        info_file=fields.string("infoFile"),
        info=fields.object("info"),
    )
