"""Device information: the facts of a device that device plugins and CNI plugins publish in files.

The format is that of the device information specification 1.1.0 of the Network Plumbing Working
Group, §3. network-status has it as `device-info`.

Invariant: members that the specification does not define are left out, as Multus does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from planes.model.decode import Fields, loads_object
from planes.model.encode import dumps
from planes.model.errors import BadInput, CniCode, JsonObject

_WHAT: Final = "the device information"
_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "pci": ("pci-address", "vhost-net", "rdma-device", "pf-pci-address", "representor-device"),
    "vdpa": (
        "parent-device",
        "driver",
        "path",
        "pci-address",
        "pf-pci-address",
        "representor-device",
    ),
    "vhost-user": ("mode", "path"),
    "memif": ("role", "path", "mode"),
}
"""The members of each kind of device, in the order that Multus writes them."""
MOST_BYTES: Final = 16 << 10
"""Size of a file. The longest members are paths, of at most 4 KiB."""


def parse_device_info(data: bytes) -> JsonObject:
    """Read a device information file.

    Raises:
        BadInput: code 6; it is too large, is no JSON object, or a member has another type.
    """
    if len(data) > MOST_BYTES:
        raise BadInput(
            f"cannot read {_WHAT}: it has more than {MOST_BYTES} bytes", code=CniCode.DECODE
        )
    return checked_device_info(loads_object(data, _WHAT))


def checked_device_info(obj: JsonObject) -> JsonObject:
    """Return device information with its defined members, in Multus' order.

    Raises:
        BadInput: code 6; a member has another type.
    """
    fields = Fields(obj, _WHAT)
    info: JsonObject = {key: text for key in ("type", "version") if (text := fields.string(key))}
    for kind, members in _MEMBERS.items():
        facts = fields.child(kind)
        if facts is not None:
            info[kind] = {key: text for key in members if (text := facts.string(key))}
    return info


def encode_device_info(info: JsonObject) -> bytes:
    """Return the bytes of a device information file."""
    return dumps(info, _WHAT, sort_keys=False)
