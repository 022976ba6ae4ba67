"""The networks that an annotation asks for, for tests that want all of it to be right."""

from __future__ import annotations

from planes.model.annotations.selection import Selection, read_selections
from planes.model.spec.spec_reader import refuse


def parse_selections(text: str, pod_namespace: str) -> tuple[Selection, ...]:
    """Read the annotation.

    Raises:
        BadInput: anything is wrong; the text lists everything found, with paths.
    """
    reading = read_selections(text, pod_namespace)
    refuse("the network selection", list(reading.errors))
    return reading.selections
