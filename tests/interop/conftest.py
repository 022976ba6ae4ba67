"""Fixtures of the differential tests: two equal nodes, the machine checked before and after."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.netns import Node, machine, node, why_no_link_kind, why_no_reference


@pytest.fixture(autouse=True)
def _left_as_found(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.node.get_closest_marker("kernel") is None:
        yield
        return
    reason = why_no_link_kind("macvlan") or why_no_reference("bridge")
    if reason:
        pytest.skip(reason)
    before = machine()
    yield
    assert machine() == before


@pytest.fixture
def node_a() -> Iterator[Node]:
    """The node on which the reference works."""
    with node() as made:
        yield made


@pytest.fixture
def node_b() -> Iterator[Node]:
    """The node on which we work."""
    with node() as made:
        yield made
