"""The cache of parsed annotations, which a catalog passes on to the next one.

An entry depends on the annotation's text alone, never on planes or claims, so it stays valid when
those change.
"""

from __future__ import annotations

from planes.model.annotations.record import Record, read_record
from planes.model.annotations.selection import Reading, read_selections
from planes.model.state.memo import Memo
from planes.model.state.static_ips import StaticIps, read_static_ips


class AnnotationCache:
    """Parsed annotations of pods.

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
