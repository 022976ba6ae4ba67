"""The settings of all installed programs of ours, found by the package's entry points.

Each program names the table of its options as an entry point of the group `netplane.settings`
(pyproject.toml). Invariant: no program has a list of another one's settings, and no table is
imported before a variable is met that the running program does not know.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Final

GROUP: Final = "netplane.settings"


def declared_variables() -> frozenset[str]:
    """Return the `NETPLANE_…` variables that some program of ours reads."""
    return frozenset(
        option.variable for program in entry_points(group=GROUP) for option in program.load()
    )
