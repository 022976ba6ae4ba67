"""Fixtures of the differential tests: two equal nodes, the machine checked before and after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.node.netns import (
    Node,
    node,
    unchanged_links,
    unchanged_machine,
    why_no_kernel_tests,
    why_no_link_kind,
    why_no_reference,
)


@pytest.fixture(autouse=True, scope="module")
def _machine_left_as_found() -> Iterator[None]:
    """Packet filter rules too, which takes programs to see: once for a file of tests."""
    with ExitStack() as stack:
        if not why_no_kernel_tests():
            stack.enter_context(unchanged_machine())
        yield


@pytest.fixture(autouse=True)
def _left_as_found(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.node.get_closest_marker("kernel") is None:
        yield
    elif reason := why_no_link_kind("macvlan") or why_no_reference("bridge"):
        pytest.skip(reason)
    else:
        with unchanged_links():
            yield


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
