"""A node that counts attempts to attach, and who takes its reports."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from cni.planning.plane_health import PlaneHealth
from cni.plugins.attachment import PlannedAttachment
from planes.model.errors import NotFound, PlanesError, Unavailable
from planes.model.state.plane_health import FAILING, HealthReport, read_report
from planes.model.wire.netconf import parse_conflist
from planes.run.metrics import Metrics
from tests.support.clock import FakeClock

CONFLIST = parse_conflist(b'{"cniVersion":"1.0.0","name":"n","plugins":[{"type":"macvlan"}]}')
BUSINESS = PlannedAttachment("netplane-system/business", CONFLIST, "net1", plane="business")
FAULT = NotFound("cannot find master device eth2 on this node")


class Node:
    """A node's count of attempts, with who takes its reports."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.planes = {"business", "storage"}
        self.texts: list[str] = []
        self.is_away = False
        self.unready = ""
        self.health = PlaneHealth(self.clock, "n1", lambda: self.planes, self.publish)
        self.health.tell_readiness(lambda: self.unready)
        self.metrics = Metrics()
        self.health.measure(self.metrics)

    async def publish(self, text: str) -> None:
        if self.is_away:
            raise Unavailable("cannot reach the API server")
        self.texts.append(text)

    def fail(self, times: int = FAILING, error: PlanesError = FAULT) -> None:
        for _ in range(times):
            self.health.failed(BUSINESS, error)

    async def passes(self, seconds: float) -> None:
        """Let time pass second by second."""
        for _ in range(int(seconds)):
            self.clock.advance(1.0)
            for _ in range(10):
                await asyncio.sleep(0)

    @property
    def last(self) -> HealthReport:
        report = read_report(self.texts[-1])
        assert report is not None
        return report

    def failures(self) -> float | None:
        return self.metrics.registry.get_sample_value(
            "netplane_plane_failures", {"plane": "business"}
        )


@contextlib.asynccontextmanager
async def reporting_node() -> AsyncIterator[Node]:
    """A node whose health is reported inside the block."""
    made = Node()
    task = asyncio.ensure_future(made.health.run())
    await asyncio.sleep(0)
    try:
        yield made
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
