"""Read what is left of a journal entry with damaged bytes.

Invariant: no attachment is detached by this alone, since a flipped digit could name another
sandbox's interface. It only says for which sandbox to look for addresses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from cni.journal.entry import Key

_IFNAME: Final = re.compile(rb'"ifname":"([^"\\/:%\s]{1,15})"')
_CALL: Final = re.compile(rb'"callIfname":"([^"\\/:%\s]{1,15})"')
_CONTAINER: Final = re.compile(rb'"containerID":"([\w.\-]+)"')
_NETNS: Final = re.compile(rb'"netns":"(/[^"\\]+)"')
_DATA_DIR: Final = re.compile(rb'\\"dataDir\\":\\"(/[^"\\]+)\\"')


@dataclass(frozen=True, slots=True)
class Damaged:
    """What is left of a damaged entry; it may be wrong.

    Attributes:
        container_id: the sandbox, "" where unknown.
        ifname: the CNI_IFNAME of the call, "" where unknown.
        netns: path of its network namespace, "" where unknown.
        ifnames: interfaces of its attachments.
        data_dirs: the directories where host-local kept its addresses.
        reason: what is wrong with the bytes.
        kept: the path where the damaged file was set aside.
    """

    container_id: str = ""
    ifname: str = ""
    netns: str = ""
    ifnames: tuple[str, ...] = ()
    data_dirs: tuple[str, ...] = ()
    reason: str = ""
    kept: str = ""

    @property
    def key(self) -> Key:
        """The identity of the call: container ID and CNI_IFNAME."""
        return self.container_id, self.ifname


def salvage(data: bytes) -> Damaged:
    """Return what can be read from damaged bytes."""
    return Damaged(
        container_id=_first(_CONTAINER, data),
        ifname=_first(_CALL, data),
        netns=_first(_NETNS, data),
        ifnames=_all(_IFNAME, data),
        data_dirs=_all(_DATA_DIR, data),
    )


def _all(pattern: re.Pattern[bytes], data: bytes) -> tuple[str, ...]:
    return tuple(sorted({found.decode(errors="replace") for found in pattern.findall(data)}))


def _first(pattern: re.Pattern[bytes], data: bytes) -> str:
    found = pattern.search(data)
    return "" if found is None else found[1].decode(errors="replace")
