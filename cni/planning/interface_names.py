"""Interface names where every pod gets further networks, numbered as by Multus.

Multus names an interface net<place in the whole list> unless its element names it. Further networks
come right after the default one and shift the numbers of the pod's own. Admission does not know
them, so names that an element or a plane sets stay, and a number that is taken is skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from planes.model.decide.decision import Attachment

_PREFIX: Final = "net"


@dataclass(frozen=True, slots=True)
class Numbered:
    """Names for a pod's interfaces.

    Attributes:
        further: of the further networks, in their order.
        attachments: as decided, with their new names.
    """

    further: tuple[str, ...]
    attachments: tuple[Attachment, ...]


def number(count: int, attachments: Sequence[Attachment], first: str) -> Numbered:
    """Name the interfaces of a pod with `count` further networks.

    Args:
        count: of further networks; with none, names are as decided.
        attachments: as decided; without a name in its element one is named by number.
        first: the default network's interface.
    """
    if not count:
        return Numbered((), tuple(attachments))
    taken = {first, *(one.interface for one in attachments if one.selection.interface)}

    def free(place: int) -> str:
        while (name := f"{_PREFIX}{place}") in taken:
            place += 1
        taken.add(name)
        return name

    further = tuple(free(place) for place in range(1, count + 1))
    shifted = [
        one
        if one.selection.interface
        else replace(one, interface=free(int(one.interface.removeprefix(_PREFIX)) + count))
        for one in attachments
    ]
    return Numbered(further, tuple(shifted))
