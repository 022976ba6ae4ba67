"""The error for an address that host-local has allocated to another container."""

from __future__ import annotations

from typing import Final

from planes.model.errors import Conflict
from planes.model.names import shown

_LONGEST_PATH: Final = 200


class AddressTaken(Conflict):
    """A requested address is allocated to another container.

    Args:
        what: the address, and where it was requested.
        path: the file of the allocation.
        owner: the content of the file: a container ID, mostly with an interface on a second line.

    Attributes:
        container_id: the container that has the address.
    """

    def __init__(self, what: str, path: str, owner: str) -> None:
        self.container_id = owner.partition("\n")[0].strip()
        super().__init__(
            f"{what}: {shown(path, _LONGEST_PATH)} has it for container {shown(self.container_id)}",
            remedy="ask for another address; where that container is gone for good, remove the "
            "file on the node",
        )
