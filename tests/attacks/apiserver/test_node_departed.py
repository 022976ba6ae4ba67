"""Nodes that leave, on a real API server, with the webhook's token; time runs 30 times faster."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from planes.kube.addresses.holders import Holder, static_object
from planes.kube.client.access import connect
from planes.kube.client.client import Client
from planes.model.addresses import parse_address, parse_network
from planes.model.errors import JsonObject
from planes.store.protocol import AddressOwner
from tests.attacks.apiserver.shipped import BLOCKS, Shipped, node_block
from tests.cluster.rest import pods
from tests.support.command_line import Outcome, netplane
from tests.support.store import FakeStore
from webhook.controller.address_keepers import AddressKeepers

NODES = "/api/v1/nodes"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
FASTER = 30.0


class FastClock:
    """The machine's clock, some times faster; implements `planes.run.clock.Clock`."""

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic() * FASTER

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds / FASTER)


@pytest.fixture
async def leader(shipped: Shipped, tmp_path: Path) -> AsyncIterator[dict[str, int]]:
    """Run what the leader does for addresses; return what was released."""
    released = {"block": 0, "node-holder": 0, "holder": 0}

    def count(what: str, number: int) -> None:
        released[what] += number

    path = tmp_path / "webhook.conf"
    shipped.server.write_kubeconfig(path, shipped.webhook.token)
    client: Client
    async with connect(path, user_agent="netplane-test/1") as client:
        keepers = AddressKeepers(
            client,
            FakeStore(),
            FastClock(),
            randomness=lambda: 0.5,
            failed=lambda: None,
            released=count,
            listed=lambda: None,
        )
        tasks = [asyncio.ensure_future(work) for work in keepers.works()]
        try:
            yield released
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def add_node(shipped: Shipped, name: str, ready: str = "Unknown") -> None:
    assert shipped.admin.create(NODES, {"metadata": {"name": name}}).is_success
    conditions = [{"type": "Ready", "status": ready}]
    reply = shipped.admin.merge(f"{NODES}/{name}/status", {"status": {"conditions": conditions}})
    assert reply.is_success, reply.message


def put_static(shipped: Shipped, plane: str, nodes: dict[str, str]) -> str:
    """Put a static block in the 10.77.0.0/26, held by address on a node; return its path."""
    held = {
        parse_address(text): Holder(AddressOwner("c1", "net1", "shop", "gone", "uid", node))
        for text, node in nodes.items()
    }
    made = shipped.block(static_object(plane, parse_network("10.77.0.0/26"), held))
    return f"{BLOCKS}/{made['metadata']['name']}"


def names(shipped: Shipped, plane: str) -> set[str]:
    found = shipped.read(f"{BLOCKS}?fieldSelector=spec.plane={plane},spec.use=Node")["items"]
    return {each["spec"]["node"] for each in found}


async def until(is_met: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_met():
            await asyncio.sleep(0.05)


async def test_node_that_left_loses_blocks_and_static_addresses_and_no_other_does(
    shipped: Shipped, leader: dict[str, int]
) -> None:
    for node in ("left-1", "stays-1"):
        add_node(shipped, node)
        shipped.block(node_block("left", f"10.77.{len(node)}.0/26", node))
    path = put_static(shipped, "left", {"10.77.0.1": "left-1", "10.77.0.2": "stays-1"})
    await asyncio.sleep(100 / FASTER)
    assert names(shipped, "left") == {"left-1", "stays-1"}
    assert shipped.admin.ask("DELETE", f"{NODES}/left-1").is_success
    await until(lambda: names(shipped, "left") == {"stays-1"})
    await until(lambda: set(shipped.read(path)["holders"]) == {"10.77.0.2"})
    await until(lambda: leader["block"] >= 1)  # it is counted once all of the node is released


async def test_node_that_left_keeps_its_blocks_while_a_pod_is_bound_to_it(
    shipped: Shipped, leader: dict[str, int]
) -> None:
    shipped.pod("bound", "left-2")
    shipped.block(node_block("bound", "10.77.1.0/26", "left-2"))
    await asyncio.sleep(150 / FASTER)
    assert names(shipped, "bound") == {"left-2"}
    assert leader["block"] == 0
    path = f"{pods('default')}/bound"
    assert shipped.admin.ask("DELETE", path, {"gracePeriodSeconds": 0}).is_success
    await until(lambda: not names(shipped, "bound"))


async def test_node_whose_lease_is_renewed_keeps_its_blocks(
    shipped: Shipped, leader: dict[str, int]
) -> None:
    lease: JsonObject = {"metadata": {"name": "left-3"}, "spec": {"holderIdentity": "left-3"}}
    assert shipped.admin.create(LEASES, lease).is_success
    shipped.block(node_block("renewed", "10.77.1.0/26", "left-3"))
    for number in range(30):
        spec = {"renewTime": f"2026-01-01T00:00:{number:02}.000000Z"}
        assert shipped.admin.merge(f"{LEASES}/left-3", {"spec": spec}).is_success
        await asyncio.sleep(15 / FASTER)
    assert names(shipped, "renewed") == {"left-3"}
    assert leader["block"] == 0
    await until(lambda: not names(shipped, "renewed"))


async def test_static_address_passes_on_once_its_node_is_out_of_service(
    shipped: Shipped, leader: dict[str, int]
) -> None:
    add_node(shipped, "dead-1")
    path = put_static(shipped, "taint", {"10.77.0.1": "dead-1"})
    wanted = {"10.77.0.1": "n2"}
    assert shipped.admin.merge(path, {"wanted": wanted}).is_success
    await asyncio.sleep(300 / FASTER)
    assert shipped.read(path)["holders"]
    key = "node.kubernetes.io/out-of-service"
    taints = [{"key": key, "value": "nodeshutdown", "effect": "NoExecute"}]
    assert shipped.admin.merge(f"{NODES}/dead-1", {"spec": {"taints": taints}}).is_success
    await until(lambda: leader["holder"] == 1)
    assert shipped.read(path)["holders"] == {}


def command(shipped: Shipped, folder: Path, *words: str) -> Outcome:
    path = folder / "admin.conf"
    shipped.server.write_kubeconfig(path, shipped.admin.token)
    return netplane("ip", *words, "-o", "json", env={"KUBECONFIG": str(path)})


def test_node_that_an_administrator_says_is_off_is_released_by_command(
    shipped: Shipped, tmp_path: Path
) -> None:
    add_node(shipped, "said-1")
    made = shipped.block(node_block("said", "10.77.1.0/26", "said-1"))
    name = made["metadata"]["name"]
    put_static(shipped, "said", {"10.77.0.1": "said-1", "10.77.0.2": "n2"})
    found = command(shipped, tmp_path, "check")
    assert found.status == 1, found.err
    gone = {each["what"] for each in found.json if each["plane"] == "said"}
    assert gone == {"10.77.0.1", "10.77.0.2"}
    tried = command(shipped, tmp_path, "release", "--node", "said-1", "--dry-run").json
    assert [each["name"] for each in tried["blocks"]] == [name]
    done = command(shipped, tmp_path, "release", "--node", "said-1")
    assert done.status == 0, done.err
    assert done.json == {**tried, "dryRun": False}
    assert names(shipped, "said") == set()
    ready = shipped.admin.merge(
        f"{NODES}/said-1/status",
        {"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
    )
    assert ready.is_success
    refused = command(shipped, tmp_path, "release", "--node", "said-1")
    assert refused.status == 1
    assert "it is ready" in refused.err
