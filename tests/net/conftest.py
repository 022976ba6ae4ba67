"""Fixtures of the kernel tests: a node, a kernel on it, the machine checked before and after."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cni.net.kernel import Kernel
from tests.support.netns import Node, machine, node, why_no_link_kind


@pytest.fixture(autouse=True)
def _left_as_found(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.node.get_closest_marker("kernel") is None:
        yield
        return
    reason = why_no_link_kind("macvlan")
    if reason:
        pytest.skip(reason)
    before = machine()
    yield
    assert machine() == before


@pytest.fixture
def a_node() -> Iterator[Node]:
    with node() as made:
        yield made


@pytest.fixture
def kernel(a_node: Node) -> Iterator[Kernel]:
    made = Kernel(a_node.host.path)
    yield made
    made.close()
