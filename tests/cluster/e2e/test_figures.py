"""What planes cost a pod and a node, measured in the run that shows all the rest."""

from __future__ import annotations

import pytest

from tests.cluster.e2e.conftest import Spaces
from tests.cluster.e2e.figures import PODS, Figures
from tests.cluster.netplane import Netplane

TURNS = 1


@pytest.mark.timeout(400)
def test_pods_with_and_without_planes_are_timed(figures: Figures, spaces: Spaces) -> None:
    """Those of a cluster without Netplane were timed before it was installed."""
    figures.time_pods("with Netplane, no plane", spaces())
    figures.time_pods("with Netplane, two planes", spaces(business="enabled", storage="enabled"))
    assert [len(found) for found in figures.ready.values()] == [PODS] * 3


@pytest.mark.timeout(600)
def test_many_pods_at_once_are_timed_with_and_without_planes(
    figures: Figures, spaces: Spaces
) -> None:
    """One after the other, so that both meet the same machine."""
    alone, planes = spaces(), spaces(business="enabled", storage="enabled")
    for _ in range(TURNS):
        figures.time_crowd("default network alone", alone, ["eth0"])
        figures.time_crowd("three networks", planes, ["eth0", "net1", "net2"])
    assert [len(found) for found in figures.crowd.values()] == [TURNS] * 2
    assert all(used["daemon"][-1] > 0 for used in figures.processor.values())


def test_each_program_is_weighed(figures: Figures, netplane: Netplane) -> None:
    figures.weigh(netplane.cluster.nodes)
    assert {program: len(found) for program, found in figures.memory.items()} == {
        "daemon": 2,
        "webhook": 2,
    }
