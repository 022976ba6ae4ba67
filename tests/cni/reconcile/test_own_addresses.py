"""Planes that contain addresses of their own node: reported once, never refused."""

from __future__ import annotations

import asyncio
import contextlib
import json
from ipaddress import ip_interface
from typing import Any

import pytest

from cni.attaching.status_reports import StatusReporter
from cni.reconcile.own_addresses import LOOK_SECONDS, OwnAddress, OwnAddresses, warnings_of
from planes.model.errors import Unavailable
from tests.cni.scene import set_up
from tests.support.clock import FakeClock
from tests.support.node.daemon import Place
from tests.support.node.netns import Node
from tests.support.planes import make_plane
from tests.support.store import FakeStore

ETH0 = OwnAddress(("eth0", "enp1s0"), ip_interface("10.1.0.7/24"))
ETH1 = OwnAddress(("eth1",), ip_interface("10.9.0.7/24"))


def told(cidr: str, *own: OwnAddress, **network: Any) -> str:
    subnet = {"cidr": cidr, **network.pop("subnet", {})}
    plane = make_plane(network={"type": "macvlan", "master": "eth1", **network}, subnets=[subnet])
    return "; ".join(text for _, text in warnings_of([plane], own))


def test_a_plane_that_hands_out_the_nodes_own_address_is_warned_of() -> None:
    assert told("10.9.0.0/24", ETH0, ETH1) == (
        "plane business hands out 10.9.0.7, which this node's eth1 has"
    )


def test_a_plane_may_share_its_masters_network_where_it_spares_the_nodes_address() -> None:
    assert told("10.9.0.0/24", ETH0, ETH1, subnet={"ranges": ["10.9.0.100-10.9.0.200"]}) == ""


def test_the_network_of_another_interface_is_warned_of() -> None:
    said = told("10.1.0.128/25", ETH0, ETH1)
    assert said.startswith("plane business overlaps 10.1.0.0/24, the network of this node's eth0")


@pytest.mark.parametrize("master", ["enp1s0", "eth0.5"])
def test_a_master_is_known_by_all_its_names(master: str) -> None:
    spared = {"ranges": ["10.1.0.100-10.1.0.200"]}
    assert told("10.1.0.0/24", ETH0, master=master, subnet=spared) == ""


def test_a_plane_elsewhere_is_not_warned_of() -> None:
    assert told("10.2.0.0/24", ETH0, ETH1) == ""


class Host:
    def __init__(self) -> None:
        self.reads = 0
        self.error: Unavailable | None = None

    async def addresses(self) -> tuple[OwnAddress, ...]:
        self.reads += 1
        if self.error is not None:
            raise self.error
        return (ETH1,)


async def test_it_is_told_once_and_read_again_when_planes_change() -> None:
    clock, host, store = FakeClock(), Host(), FakeStore()
    reporter = StatusReporter(store)
    tasks = [
        asyncio.ensure_future(OwnAddresses(host, store, reporter, clock, "node1").run()),
        asyncio.ensure_future(reporter.run()),
    ]

    async def rounds(count: int) -> None:
        for _ in range(count):
            for _ in range(20):
                await asyncio.sleep(0)
            clock.advance(LOOK_SECONDS)
        for _ in range(20):
            await asyncio.sleep(0)

    host.error = Unavailable("cannot read")
    await rounds(2)
    host.error = None
    store.put_plane(make_plane())
    await rounds(5)
    assert [(each.kind, each.pod, each.reason) for each in store.events] == [
        ("Node", "node1", "PlaneOnNodeAddress")
    ]
    assert host.reads <= 4
    bridge = {"type": "bridge", "master": "br-x"}
    store.put_plane(make_plane("other", subnets=[{"cidr": "10.9.0.0/28"}], network=bridge))
    await rounds(3)
    assert len(store.events) == 2
    for task in tasks:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.kernel
def test_the_daemon_finds_its_own_address_in_a_plane(daemon: Place, here: Node) -> None:
    set_up(daemon)
    here.host.ip("addr", "add", "10.9.0.7/24", "dev", "eth1")
    daemon.start()
    daemon.call("ADD", here.sandbox.path, pod="shop/web")
    daemon.call("DEL", here.sandbox.path, pod="shop/web")
    assert daemon.stop() == 0
    lines = (daemon.state / "events.jsonl").read_text().splitlines()
    (event,) = [e for e in map(json.loads, lines) if e["reason"] == "PlaneOnNodeAddress"]
    assert event["involvedObject"]["kind"] == "Node"
    assert "hands out 10.9.0.7, which this node's eth1 has" in event["message"]
