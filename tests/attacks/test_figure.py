"""Which figures of an attack fail `make attacks`, and which are only told."""

from __future__ import annotations

import pytest

from tests.attacks.figures.figure import Figure


@pytest.mark.parametrize("unit", ["ms", "s"])
def test_a_time_is_told_and_not_held(unit: str) -> None:
    """A machine that does other work breaks it without any fault of the project."""
    assert Figure("an attack", "p99 of a review", 2.0, 1.0, unit).is_told


def test_a_count_is_held_unless_the_machines_speed_decides_it() -> None:
    """Connections that are ended because handshakes are slow are one; left interfaces are not."""
    assert not Figure("an attack", "left after 40 kills", 1.0, 0.0, "").is_told
    assert Figure("an attack", "asked again", 0.3, 0.2, "", is_of_speed=True).is_told
