"""The error for a device of the host that another container has."""

from __future__ import annotations

from planes.model.errors import Conflict
from planes.model.names import shown


class DeviceTaken(Conflict):
    """A device is in the sandbox of another container.

    Args:
        device: its name or address.
        container_id: the container that has it.

    Attributes:
        container_id: see above.
    """

    def __init__(self, device: str, container_id: str) -> None:
        self.container_id = container_id
        super().__init__(
            f"cannot use device {device}: container {shown(container_id)} has it",
            remedy="a device serves one pod at a time: delete the other pod, or let a device "
            "plugin choose the device",
        )
