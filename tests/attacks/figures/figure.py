"""One measured figure of an attack, with the bound that it has to keep."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured while an attack ran.

    Attributes:
        attack: what the attacker does, in a few words; figures of one attack share it.
        what: what was measured.
        measured: the value, in `unit`.
        bound: the most it may be, in `unit`.
        unit: "MiB", "ms", "s", "" for a count.
        is_of_speed: whether a slow machine alone breaks the bound, as it does for every time.
    """

    attack: str
    what: str
    measured: float
    bound: float
    unit: str
    is_of_speed: bool = False

    @property
    def holds(self) -> bool:
        """Whether the bound was kept."""
        return self.measured <= self.bound

    @property
    def is_told(self) -> bool:
        """Whether it is only told: the speed of the machine decides whether the bound is kept."""
        return self.is_of_speed or self.unit in {"ms", "s"}


Measure = Callable[[], Iterable[Figure]]
"""Runs one attack, bounded in time, and returns what it cost."""
