"""What types that make an interface on a master share: which one it is, and its largest MTU."""

from __future__ import annotations

from dataclasses import dataclass

from cni.native.link_steps import FindMaster
from cni.native.steps import Steps
from cni.net.links import Link
from planes.model.errors import BadInput
from planes.model.wire.netconf import NetConf


@dataclass(frozen=True, slots=True)
class MasterChoice:
    """The master that a netconf asks for.

    Attributes:
        name: "" for the device of the first default route.
        is_inside: whether it is an interface of the sandbox (`linkInContainer`), not of the host.
    """

    name: str
    is_inside: bool = False

    @classmethod
    def of(cls, conf: NetConf) -> MasterChoice:
        """Read it.

        Raises:
            BadInput: a member has a wrong type.
        """
        fields = conf.fields()
        return cls(fields.string("master"), fields.boolean("linkInContainer"))

    @property
    def place(self) -> str:
        """Where the master is, in words."""
        return "in the pod" if self.is_inside else "on the node"


def find_master_for(choice: MasterChoice) -> Steps[Link]:
    """Find the master of a new interface.

    Raises:
        NotFound: there is none.
    """
    return (yield from FindMaster(choice.name, choice.is_inside))


def require_mtu(mtu: int, master: Link, choice: MasterChoice) -> None:
    """Check that an MTU is no larger than that of the master.

    Raises:
        BadInput: it is, or it is negative.
    """
    if not 0 <= mtu <= master.mtu:
        raise BadInput(
            f"cannot use MTU {mtu}: it must be from 0 to that of {master.name}, {master.mtu}",
            remedy=f"lower mtu, leave it out, or raise that of {master.name} {choice.place}",
        )
