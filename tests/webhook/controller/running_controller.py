"""A running controller over an API server in memory, on a clock that the test moves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from ipaddress import IPv4Network, ip_address
from typing import Any

from planes.kube.addresses.holders import Holder, static_object
from planes.kube.addresses.ipblocks import NodeBlock
from planes.kube.api import Query
from planes.kube.informers.informer import Informer, Informers
from planes.kube.resources import IPBLOCKS, NADS, NAMESPACES, PLANES
from planes.model.addresses import parse_network
from planes.model.errors import JsonObject
from planes.model.names import JOINED_LABEL, NETPLANE_NAMESPACE
from planes.model.objects import Pod
from planes.run.metrics import Metrics
from planes.store.protocol import AddressOwner
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube
from tests.support.planes import plane_object
from tests.support.store import FakeStore
from webhook.controller.controller import Controller, ControllerContext, ControllerMetrics


class RunningController:
    """One controller, what it works on, and what came of it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.kube = FakeKube(clock=self.clock)
        self.store = FakeStore()
        self._metrics = Metrics()
        self._counts = ControllerMetrics(self._metrics)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        informers = Informers(
            planes=Informer(self.kube, Query(PLANES), clock=self.clock),
            nads=Informer(self.kube, Query(NADS), clock=self.clock),
            namespaces=Informer(
                self.kube, Query(NAMESPACES, is_metadata_only=True), clock=self.clock
            ),
        )
        context = ControllerContext(
            api=self.kube,
            store=self.store,
            informers=informers,
            clock=self.clock,
            metrics=self._counts,
            randomness=lambda: 1.0,
        )
        self._task = asyncio.ensure_future(_run(Controller(context), informers))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def settle(self, seconds: float = 0.0) -> None:
        """Let everything happen that can, then some time pass, second by second."""
        await _turns()
        while seconds > 0:
            self.clock.advance(min(1.0, seconds))
            seconds -= 1.0
            await _turns()
        assert self._task is None or not self._task.done()

    def put_plane(self, name: str = "business", **spec: Any) -> JsonObject:
        return self.kube.put_object(PLANES, plane_object(name, **spec))

    def put_namespace(self, name: str, labels: Mapping[str, str] | None = None) -> None:
        metadata = {"name": name, "labels": dict(labels or {})}
        self.kube.put_object(NAMESPACES, {"metadata": metadata})

    def put_nad(self, name: str, **more: Any) -> None:
        nad = {
            "apiVersion": NADS.api_version,
            "kind": NADS.kind,
            "metadata": {"name": name, "namespace": NETPLANE_NAMESPACE},
            "spec": {"config": "{}"},
        }
        self.kube.put_object(NADS, {**nad, **more})

    def put_block(self, cidr: str, plane: str = "business", node: str = "n1") -> str:
        """Put a block that a node has taken; return its name."""
        block = NodeBlock(plane, node, parse_network(cidr))
        self.kube.put_object(IPBLOCKS, block.to_json())
        return block.name

    def put_static(
        self, holders: Mapping[str, str], *, wanted: Mapping[str, str] | None = None
    ) -> str:
        """Put a static block: each address held on a node by pod shop/db-0; return its name."""
        held = {
            ip_address(text): Holder(AddressOwner("c1", "net1", "shop", "db-0", "uid-1", node))
            for text, node in holders.items()
        }
        obj = static_object("business", IPv4Network("10.9.0.192/26"), held)
        self.kube.put_object(IPBLOCKS, {**obj, "wanted": dict(wanted or {})})
        return str(obj["metadata"]["name"])

    def put_pods(self, pods: Iterable[Pod]) -> None:
        for pod in pods:
            self.store.put_pod(pod)

    def nad(self, name: str = "business") -> JsonObject | None:
        return self.kube.object(NADS, name, NETPLANE_NAMESPACE)

    def status(self, name: str = "business") -> JsonObject:
        plane = self.kube.object(PLANES, name)
        assert plane is not None
        found: JsonObject = plane.get("status") or {}
        return found

    def condition(self, kind: str, name: str = "business") -> tuple[str, str]:
        """Return status and reason of a condition."""
        (found,) = [each for each in self.status(name)["conditions"] if each["type"] == kind]
        return found["status"], found["reason"]

    def is_marked(self, namespace: str) -> bool:
        found = self.kube.object(NAMESPACES, namespace)
        assert found is not None
        return (found["metadata"].get("labels") or {}).get(JOINED_LABEL) == "true"

    def failures(self) -> float:
        """Count the looks that failed."""
        return self._metrics.registry.get_sample_value("netplane_controller_failures_total") or 0.0

    def metric(self, name: str, **labels: str) -> float:
        """Return the value of a metric `netplane_<name>`."""
        return self._metrics.registry.get_sample_value(f"netplane_{name}", labels) or 0.0

    def sample(self, name: str, **labels: str) -> float | None:
        """Return a metric's value."""
        return self._metrics.registry.get_sample_value(name, labels)

    def writes(self, resource: str) -> int:
        """Count the writes so far to a kind, a subresource as `planes/status`."""
        verbs = {"create", "update", "patch", "delete"}
        return sum(verb in verbs and to == resource for verb, to, _, _ in self.kube.requests)


@contextlib.asynccontextmanager
async def running_controller() -> AsyncIterator[RunningController]:
    """Return a controller that the test starts, and that ends with the test."""
    controller = RunningController()
    try:
        yield controller
    finally:
        await controller.stop()


async def _turns() -> None:
    for _ in range(120):
        await asyncio.sleep(0)


async def _run(controller: Controller, informers: Informers) -> None:
    async with asyncio.TaskGroup() as group:
        for informer in (informers.planes, informers.nads, informers.namespaces):
            group.create_task(informer.reflector.run())
        await controller.run()
