"""A node's use of its address blocks: a part of its report, and when a change is worth a report.

An address is held by an attachment. It rests after its release for the plane's cooldown, or while
somebody on the wire has it. Each report is a write, so small changes wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from planes.model.names import is_dns_label

MOST_PLANES_USED: Final = 32
"""Planes in a report: those of which the node uses most."""
MOST_USED: Final = 1 << 22
"""As many addresses as the blocks of a node can have in one family."""
LARGEST_STEP: Final = 8
_STEPS: Final = 1024


class NodeUse(NamedTuple):
    """How many addresses of a plane are held on a node, and how many rest there, by family."""

    held4: int = 0
    resting4: int = 0
    held6: int = 0
    resting6: int = 0

    def held(self, version: int) -> int:
        """Return how many addresses of a family, 4 or 6, are held."""
        return self.held4 if version == 4 else self.held6

    def resting(self, version: int) -> int:
        """Return how many addresses of a family, 4 or 6, rest."""
        return self.resting4 if version == 4 else self.resting6


UNUSED: Final = NodeUse()


def step_of(dynamic: int) -> int:
    """Return the change of a count that is reported soon: 1 in small planes, 8 in large ones.

    Args:
        dynamic: how many addresses the plane hands out unasked.
    """
    return min(max(dynamic // _STEPS, 1), LARGEST_STEP)


def is_far(
    now: Mapping[str, NodeUse], told: Mapping[str, NodeUse], steps: Mapping[str, int]
) -> bool:
    """Report whether a count of a plane differs by the plane's step from what was reported.

    Args:
        now: by plane.
        told: the last report.
        steps: of each plane, see `step_of`; 1 where a plane is missing.
    """
    for name in now.keys() | told.keys():
        pairs = zip(now.get(name, UNUSED), told.get(name, UNUSED), strict=True)
        if max(abs(one - other) for one, other in pairs) >= steps.get(name, 1):
            return True
    return False


def use_to_json(use: Mapping[str, NodeUse]) -> dict[str, list[int]]:
    """Return the part of a report; a plane that is not used is not in it."""
    order = sorted(use, key=lambda name: (-sum(use[name]), name))
    kept = [name for name in order if any(use[name])][:MOST_PLANES_USED]
    return {name: list(use[name]) for name in kept}


def read_use(value: Any) -> dict[str, NodeUse] | None:
    """Read the part of a report; None where there is none, and without entries that are not valid.

    A report that is full may lack planes, so nothing may be concluded from a missing one.
    """
    if not isinstance(value, dict) or len(value) > MOST_PLANES_USED:
        return None
    return {
        name: one for name, each in value.items() if is_dns_label(name) and any(one := _read(each))
    }


def _read(value: Any) -> NodeUse:
    is_valid = isinstance(value, list) and len(value) == 4 and all(map(_is_count, value))
    return NodeUse(*value) if is_valid else UNUSED


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_USED
