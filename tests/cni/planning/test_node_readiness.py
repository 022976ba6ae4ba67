"""Why a node is not ready: when that is reported."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cni.planning.node_readiness import SETTLED_SECONDS
from cni.planning.plane_health import AT_ONCE_BURST, AT_ONCE_PER_SECOND, FAILURES_SECONDS
from tests.cni.planning.reporting_node import Node, reporting_node


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    async with reporting_node() as made:
        yield made


async def test_a_node_that_is_not_ready_says_why_and_then_that_it_is(node: Node) -> None:
    node.unready = "00-multus.conf comes before ours"
    await node.passes(SETTLED_SECONDS + 2)
    assert [node.last.unready, len(node.texts)] == ["00-multus.conf comes before ours", 1]
    node.unready = ""
    await node.passes(2)
    assert [node.last.unready, len(node.texts)] == ["", 2]


async def test_what_passes_within_seconds_is_not_written(node: Node) -> None:
    """As at a start, before the CNI config is written."""
    node.unready = "00-netplane.conflist is not written yet"
    await node.passes(SETTLED_SECONDS - 1)
    node.unready = ""
    await node.passes(1000)
    assert node.texts == []


async def test_a_reason_that_goes_on_changing_costs_a_report_a_minute(node: Node) -> None:
    for second in range(600):
        node.unready = f"a thread hangs, for {second} s"
        await node.passes(1)
    assert len(node.texts) <= 1 + 600 / FAILURES_SECONDS


async def test_a_node_that_is_ready_by_turns_costs_a_bounded_number_of_reports(node: Node) -> None:
    for second in range(3000):
        node.unready = "something comes before ours" if second // 10 % 2 else ""
        await node.passes(1)
    assert len(node.texts) <= AT_ONCE_BURST + 3000 * AT_ONCE_PER_SECOND + 1
