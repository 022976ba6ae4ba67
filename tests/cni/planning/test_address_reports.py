"""Addresses in use are reported soon where they are few, and not once for each pod."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping

import pytest

from cni.planning.address_reports import LATE_SECONDS, LOOK_SECONDS, SOON_SECONDS, AddressReports
from cni.planning.plane_health import PlaneHealth
from cni.plugins.attachment import PlannedAttachment
from planes.model.errors import Unavailable
from planes.model.spec.plane_spec import Plane
from planes.model.state.node_use import NodeUse
from planes.model.state.plane_health import read_report
from tests.cni.planning.reporting_node import CONFLIST, FAULT
from tests.support.clock import FakeClock
from tests.support.planes import make_plane

SMALL = make_plane("small", ipam={"cooldownSeconds": 60})
LARGE = make_plane("large", ipam={"cooldownSeconds": 60}, subnets=[{"cidr": "10.0.0.0/16"}])
OTHER = make_plane(
    "other", network={"nadRef": {"namespace": "a", "name": "b"}}, subnets=[], ipam={"mode": "NAD"}
)


class Node:
    """A node's reports, with its use of blocks as the test says."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.planes: list[Plane] = [SMALL, LARGE, OTHER]
        self.use: dict[str, NodeUse] = {}
        self.texts: list[str] = []
        self.is_away = False
        self.looks = 0
        addresses = AddressReports(self.clock, lambda: self.planes, self.count)
        self.health = PlaneHealth(
            self.clock, "n1", lambda: {plane.name for plane in self.planes}, self.publish, addresses
        )

    async def count(self, planes: Iterable[Plane]) -> Mapping[str, NodeUse]:
        self.looks += 1
        names = {plane.name for plane in planes}
        return {name: one for name, one in self.use.items() if name in names}

    async def publish(self, text: str) -> None:
        if self.is_away:
            raise Unavailable("cannot reach the API server")
        self.texts.append(text)

    async def passes(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.clock.advance(1.0)
            for _ in range(10):
                await asyncio.sleep(0)

    @property
    def told(self) -> Mapping[str, NodeUse]:
        report = read_report(self.texts[-1])
        assert report is not None
        return report.use or {}


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    made = Node()
    task = asyncio.ensure_future(made.health.run())
    await asyncio.sleep(0)
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_what_an_earlier_start_reported_is_corrected_at_once(node: Node) -> None:
    await node.passes(2)
    assert (len(node.texts), node.told) == (1, {})


async def test_without_a_plane_of_our_ipam_nothing_is_reported(node: Node) -> None:
    node.planes = [OTHER]
    node.use = {"other": NodeUse(5)}
    await node.passes(2 * LATE_SECONDS)
    assert node.texts == []


async def test_an_address_of_a_small_plane_is_reported_within_seconds(node: Node) -> None:
    await node.passes(2 + SOON_SECONDS)
    node.use = {"small": NodeUse(1)}
    await node.passes(LOOK_SECONDS + 1)
    assert node.told == {"small": NodeUse(1)}


async def test_a_few_addresses_of_a_large_plane_wait_and_many_do_not(node: Node) -> None:
    await node.passes(2 + SOON_SECONDS)
    node.use = {"large": NodeUse(7)}
    await node.passes(SOON_SECONDS + LOOK_SECONDS)
    assert len(node.texts) == 1
    await node.passes(LATE_SECONDS)
    assert node.told == {"large": NodeUse(7)}
    node.use = {"large": NodeUse(15)}
    await node.passes(SOON_SECONDS + LOOK_SECONDS + 1)
    assert node.told == {"large": NodeUse(15)}


async def test_pods_that_come_and_go_without_end_cost_a_write_in_ten_seconds_at_most(
    node: Node,
) -> None:
    for step in range(600):
        node.use = {"small": NodeUse(step % 7), "large": NodeUse(step * 5 % 61)}
        await node.passes(1)
    assert len(node.texts) <= 600 / SOON_SECONDS + 1
    assert node.looks <= 600 / LOOK_SECONDS + 1


async def test_a_report_that_failed_is_written_again(node: Node) -> None:
    node.is_away = True
    node.use = {"small": NodeUse(3)}
    await node.passes(3)
    assert node.texts == []
    node.is_away = False
    await node.passes(70)
    assert node.told == {"small": NodeUse(3)}


async def test_nothing_is_written_where_nothing_changes(node: Node) -> None:
    node.use = {"small": NodeUse(3)}
    await node.passes(10 * LATE_SECONDS)
    assert len(node.texts) == 1


async def test_a_report_of_something_else_counts_nothing_before_the_planes_are_known(
    node: Node,
) -> None:
    """The node would seem to use no address."""
    node.planes, node.use = [], {"small": NodeUse(3)}
    await node.passes(2)
    node.planes = [OTHER]
    for _ in range(3):
        node.health.failed(PlannedAttachment("a/b", CONFLIST, "net1", plane="other"), FAULT)
    await node.passes(2)
    report = read_report(node.texts[-1])
    assert report is not None
    assert report.use is None
    node.planes = [OTHER, SMALL]
    await node.passes(2 * LOOK_SECONDS)
    assert node.told == {"small": NodeUse(3)}
