"""Failures of attaching to each plane on a node: which count, and when they are reported."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cni.host.exec import Completed
from cni.net.errors import MissingNetns
from cni.planning.plane_health import (
    AT_ONCE_BURST,
    AT_ONCE_PER_SECOND,
    FAILURES_SECONDS,
    SUCCESSES_SECONDS,
)
from cni.plugins.attachment import PlannedAttachment
from cni.plugins.unable import PluginFailed
from planes.model.errors import BadInput, Conflict, Denied, PlanesError, Unavailable
from planes.model.state.plane_health import FAILING, Health
from planes.run.metrics import Metrics
from tests.cni.planning.reporting_node import BUSINESS, CONFLIST, FAULT, Node, reporting_node
from tests.cni.runtime_scene import bench, shop_store
from tests.cni.scene import set_up
from tests.support.cni.exec import PluginCall, failed, ok, plain
from tests.support.cni.runtime import Bench
from tests.support.node.daemon import CniError, Place
from tests.support.node.netns import Node as Machine


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    async with reporting_node() as made:
        yield made


async def test_a_plane_that_begins_to_fail_is_reported_at_once_with_the_reason(node: Node) -> None:
    node.fail()
    await node.passes(2)
    assert len(node.texts) == 1
    health = node.last.planes["business"]
    assert (node.last.node, health.failures) == ("n1", FAILING)
    assert health.reason == "cannot find master device eth2 on this node"
    assert node.failures() == FAILING


async def test_a_plane_that_works_again_is_reported_at_once(node: Node) -> None:
    node.fail()
    await node.passes(2)
    node.health.attached([BUSINESS])
    await node.passes(2)
    assert node.last.planes == {"business": Health(attached_at=int(node.clock.now()) - 2)}
    assert node.failures() == 0


async def test_what_goes_on_is_reported_now_and_then(node: Node) -> None:
    """A node's pods may start by the hundred."""
    node.health.attached([BUSINESS])
    await node.passes(2)
    for _ in range(int(SUCCESSES_SECONDS) - 10):
        node.health.attached([BUSINESS])
        await node.passes(1)
    assert len(node.texts) == 1
    await node.passes(20)
    assert len(node.texts) == 2
    node.fail()
    for _ in range(int(FAILURES_SECONDS) - 10):
        node.fail(1)
        await node.passes(1)
    assert len(node.texts) == 3
    await node.passes(20)
    assert len(node.texts) == 4


async def test_where_nothing_is_tried_nothing_is_written(node: Node) -> None:
    await node.passes(1000)
    assert node.texts == []


async def test_a_report_that_cannot_be_written_is_written_later(node: Node) -> None:
    node.is_away = True
    node.fail()
    await node.passes(5)
    node.is_away = False
    assert node.texts == []
    await node.passes(FAILURES_SECONDS + 5)
    assert node.last.planes["business"].failures == FAILING


async def test_a_plane_that_is_gone_is_forgotten(node: Node) -> None:
    node.fail()
    await node.passes(2)
    node.planes.discard("business")
    await node.passes(2)
    assert node.last.planes == {}
    assert node.failures() is None


OF_A_POD = [Conflict("x"), BadInput("x"), Denied("x"), Unavailable("x"), PluginFailed("x")]


@pytest.mark.parametrize("error", OF_A_POD, ids=type)
async def test_what_a_pod_asked_for_is_no_fault_of_its_plane(
    node: Node, error: PlanesError
) -> None:
    """A tenant whose pods ask for an address that is taken says nothing of the plane."""
    asking = PlannedAttachment(
        BUSINESS.network, CONFLIST, "net1", plane="business", ips=("10.9.0.7/24",)
    )
    for _ in range(5):
        node.health.failed(asking, error)
    await node.passes(2)
    assert node.texts == []
    node.health.failed(asking, FAULT)
    await node.passes(2)
    assert node.last.planes["business"].failures == 1


async def test_a_sandbox_that_has_gone_is_no_fault_of_its_plane(node: Node) -> None:
    """Three pods deleted while they were attached had the plane reported as out of order."""
    for _ in range(FAILING):
        node.health.failed(BUSINESS, MissingNetns("cannot open network namespace /run/netns/x"))
    await node.passes(2)
    assert node.texts == []


async def test_a_plane_that_fails_and_works_by_turns_costs_a_bounded_number_of_reports(
    node: Node,
) -> None:
    for _ in range(300):
        node.fail()
        await node.passes(1)
        node.health.attached([BUSINESS])
        await node.passes(1)
    assert len(node.texts) <= AT_ONCE_BURST + 600 * AT_ONCE_PER_SECOND + 1


async def test_networks_of_no_plane_are_not_counted(node: Node) -> None:
    other = PlannedAttachment("shop/own", CONFLIST, "net1")
    node.health.failed(other, FAULT)
    node.health.attached([other])
    await node.passes(2)
    assert node.texts == []


class Counted:
    """What a bench's runtime has counted of plane business."""

    def __init__(self, made: Bench) -> None:
        self._metrics = Metrics()
        made.health.measure(self._metrics)

    @property
    def failures(self) -> float | None:
        return self._metrics.registry.get_sample_value(
            "netplane_plane_failures", {"plane": "business"}
        )


async def failing(call: PluginCall) -> Completed:
    """Fail each ADD."""
    return failed("cannot find master device eth1") if call.verb == "ADD" else ok()


async def test_an_add_whose_plane_fails_is_counted_and_one_that_works_ends_the_count(
    tmp_path: Path,
) -> None:
    made = await bench(tmp_path, shop_store(networks=""))
    counted = Counted(made)
    made.exec.scripts["macvlan"] = failing
    for _ in range(2):
        with pytest.raises(PlanesError):
            await made.call("ADD")
    assert counted.failures == 2
    made.exec.scripts["macvlan"] = plain
    await made.call("ADD")
    assert counted.failures == 0


async def test_a_plane_is_not_counted_where_another_network_of_the_pod_fails(
    tmp_path: Path,
) -> None:
    """The default network, or a NAD of the tenant's own: his pods would say that planes fail."""
    made = await bench(tmp_path)
    counted = Counted(made)
    for kind in ("one", "two"):
        made.exec.scripts[kind] = failing
        with pytest.raises(PlanesError):
            await made.call("ADD")
        made.exec.scripts[kind] = plain
    assert not counted.failures


async def test_a_plane_whose_plugin_is_missing_is_counted(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    counted = Counted(made)
    del made.exec.scripts["macvlan"]
    with pytest.raises(PlanesError):
        await made.call("ADD")
    assert counted.failures == 1


async def test_a_call_that_is_cut_off_says_nothing_of_its_plane(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    counted = Counted(made)
    begun = asyncio.Event()

    async def hang(_call: PluginCall) -> Completed:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    made.exec.scripts["macvlan"] = hang
    task = asyncio.create_task(made.call("ADD"))
    await begun.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert not counted.failures


@pytest.mark.kernel
def test_a_node_shows_which_plane_fails_and_logs_it_once(daemon: Place, here: Machine) -> None:
    """Without a cluster too: a master that this node does not have."""
    set_up(daemon)
    manifest = daemon.directory / "manifests" / "shop.yaml"
    manifest.write_text(manifest.read_text().replace('"eth1"', '"eth99"'))
    daemon.start()
    for number in range(FAILING + 1):
        with pytest.raises(CniError):
            daemon.call("ADD", here.sandbox.path, container=f"c{number}", pod="shop/web")
    assert f'netplane_plane_failures{{plane="business"}} {FAILING + 1}.0' in metrics_of(daemon)
    (line,) = [line for line in daemon.log.splitlines() if "no pod gets this plane" in line]
    assert json.loads(line)["plane"] == "business"
    assert "eth99" in json.loads(line)["reason"]


def metrics_of(daemon: Place) -> str:
    """Return what a daemon shows at its socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(daemon.socket))
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
