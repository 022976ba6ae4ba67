"""The kubelet's checkpoint of allocated devices, `kubelet_internal_checkpoint`.

The kubelet writes it before it starts a pod's sandbox (pkg/kubelet/cm/devicemanager/checkpoint).
Entries are found by the pod's UID. Their order follows no container, so the devices of a resource
are sorted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from planes.model.decode import Fields, loads_object
from planes.model.errors import PlanesError, Unavailable
from planes.run.files import read_regular

MOST_BYTES: Final = 16 << 20
_WHAT: Final = "the kubelet's checkpoint"


def read_checkpoint(path: Path, uid: str) -> dict[str, list[str]]:
    """Return the devices of a pod by resource; blocks.

    Args:
        path: the file.
        uid: of the pod, as the kubelet has it.

    Raises:
        Unavailable: the file cannot be read, or is no checkpoint; or the UID is not known.
    """
    if not uid:
        raise Unavailable(f"cannot look into {path}: the pod's UID is not known")
    try:
        data = loads_object(read_regular(path, MOST_BYTES, follows=True), _WHAT)
        entries = (Fields(data, _WHAT).child("Data") or Fields({}, _WHAT)).children(
            "PodDeviceEntries"
        )
        found: dict[str, set[str]] = {}
        for entry in entries:
            if entry.string("PodUID") == uid:
                found.setdefault(entry.string("ResourceName"), set()).update(_ids(entry))
    except OSError as error:
        raise Unavailable(f"cannot read {path}: {error.strerror}") from error
    except PlanesError as error:
        raise Unavailable(f"cannot read {path}: {error.message}") from error
    return {resource: sorted(devices) for resource, devices in found.items()}


def _ids(entry: Fields) -> list[str]:
    """Return the device IDs: by NUMA node since Kubernetes 1.20, a list before that."""
    if isinstance(entry.raw("DeviceIDs"), list):
        return list(entry.strings("DeviceIDs"))
    nodes = entry.child("DeviceIDs")
    return [] if nodes is None else [one for node in nodes.names() for one in nodes.strings(node)]
