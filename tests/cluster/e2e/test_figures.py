"""What planes cost a pod and a node, measured in the run that shows all the rest."""

from __future__ import annotations

from tests.cluster.e2e.conftest import Spaces
from tests.cluster.e2e.figures import PODS, Figures
from tests.cluster.netplane import Netplane


def test_pods_with_and_without_planes_are_timed(figures: Figures, spaces: Spaces) -> None:
    """Those of a cluster without Netplane were timed before it was installed."""
    figures.time_pods("with Netplane, no plane", spaces())
    figures.time_pods("with Netplane, two planes", spaces(business="enabled", storage="enabled"))
    assert [len(found) for found in figures.ready.values()] == [PODS] * 3


def test_each_program_is_weighed(figures: Figures, netplane: Netplane) -> None:
    figures.weigh(netplane.cluster.nodes)
    assert {program: len(found) for program, found in figures.memory.items()} == {
        "daemon": 2,
        "webhook": 2,
    }
