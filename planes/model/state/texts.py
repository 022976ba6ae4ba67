"""The annotations' readers, each remembering what it has read: whoever holds a catalog has them.

What is remembered depends on the text alone, never on planes or claims, so it stays true when
those change.
"""

from __future__ import annotations

from planes.model.annotations.record import Record, read_record
from planes.model.annotations.selection import Reading, read_selections
from planes.model.state.memo import Memo
from planes.model.state.static_ips import StaticIps, read_static_ips


class Texts:
    """Readers of the annotations of pods.

    Attributes:
        networks: by text and the pod's namespace.
        static_ips: by text.
        records: by text.
    """

    __slots__ = ("networks", "records", "static_ips")

    def __init__(self) -> None:
        self.networks: Memo[Reading] = Memo(read_selections)
        self.static_ips: Memo[StaticIps] = Memo(_static_ips)
        self.records: Memo[Record | None] = Memo(_record)


def _static_ips(text: str, _: str) -> StaticIps:
    return read_static_ips(text)


def _record(text: str, _: str) -> Record | None:
    return read_record(text)
