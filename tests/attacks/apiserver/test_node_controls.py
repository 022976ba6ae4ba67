"""The controls: with the same tokens, the programs themselves do all they are for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from ipaddress import ip_address
from pathlib import Path

import pytest

from planes.kube.addresses.address_book import KubeAddressBook
from planes.kube.addresses.node_look import OUT_OF_SERVICE_TAINT
from planes.kube.client.access import connect
from planes.kube.client.client import Client
from planes.kube.store.event_writer import EventWriter
from planes.model.errors import Unavailable
from planes.model.events import Event
from planes.model.spec.plane_spec import Plane
from planes.run.clock import SystemClock
from planes.store.protocol import AddressOwner
from tests.attacks.apiserver.shipped import BLOCKS, Shipped
from tests.cluster.rest import Rest, pods
from tests.support.planes import make_plane
from webhook.controller.events import PlaneEvents
from webhook.controller.holders import HolderKeeper
from webhook.controller.node_looks import LOOK_SECONDS
from webhook.controller.objects import PlaneSeen

FIXED = "10.31.0.64"
PLANE = make_plane(
    "controls",
    subnets=[
        {"cidr": "10.31.0.0/24", "staticRanges": ["10.31.0.64/27"]},
        {"cidr": "fd31::/112", "staticRanges": ["fd31::40/122"]},
    ],
    staticIPs={"allow": "Any"},
    ipam={"blockSize": 28},
)


class Programs:
    """The daemons of two nodes and the webhook, each with its own token."""

    def __init__(self, n1: Client, n2: Client, webhook: Client, folder: Path) -> None:
        clock = SystemClock()
        self.n1, self.n2, self.webhook = n1, n2, webhook
        self.one = KubeAddressBook(n1, "n1", folder / "n1", clock)
        self.two = KubeAddressBook(n2, "n2", folder / "n2", clock)
        self.keeper = HolderKeeper(webhook, clock, randomness=lambda: 0.5, failed=lambda: None)


@pytest.fixture
async def programs(shipped: Shipped, tmp_path: Path) -> AsyncIterator[Programs]:
    async with AsyncExitStack() as stack:

        async def client(name: str, who: Rest) -> Client:
            path = tmp_path / name
            shipped.server.write_kubeconfig(path, who.token)
            return await stack.enter_async_context(connect(path, user_agent="netplane-test/1"))

        yield Programs(
            await client("n1.conf", shipped.n1),
            await client("n2.conf", shipped.n2),
            await client("webhook.conf", shipped.webhook),
            tmp_path,
        )


def owner(number: int, node: str) -> AddressOwner:
    return AddressOwner(f"c{number}", "net1", "default", f"gone-{number}", f"uid-{number}", node)


async def take(book: KubeAddressBook, plane: Plane, who: AddressOwner, *wanted: str) -> list[str]:
    claimed = await book.claim(plane, who, wanted=[ip_address(text) for text in wanted])
    return [one.address.partition("/")[0] for one in claimed]


async def test_node_daemons_take_blocks_and_addresses_and_give_them_back(
    shipped: Shipped, programs: Programs
) -> None:
    got = [
        address
        for number, book, node in ((1, programs.one, "n1"), (2, programs.two, "n2"))
        for address in await take(book, PLANE, owner(number, node))
    ]
    assert len(set(got)) == 4
    await take(programs.one, PLANE, owner(3, "n1"), "10.31.0.65")
    await programs.one.release("controls", "c3", "net1")
    run = asyncio.create_task(programs.one.run())
    name = f"{BLOCKS}/controls.static.10-31-0-64-26"
    async with asyncio.timeout(30):
        while shipped.read(name).get("holders"):
            await asyncio.sleep(0.01)
    run.cancel()
    found = shipped.read(f"{BLOCKS}?fieldSelector=spec.plane=controls")["items"]
    assert {each["spec"]["madeBy"] for each in found} == {"n1", "n2"}


async def test_node_daemons_lend_borrow_and_return_blocks(
    shipped: Shipped, programs: Programs
) -> None:
    """With their own tokens, under roles and policies."""
    plane = make_plane("lending", subnets=[{"cidr": "10.32.0.0/29"}], ipam={"blockSize": 30})
    books = (programs.one, programs.two)
    runs = [asyncio.create_task(book.run()) for book in books]
    try:
        got = [(await take(programs.one, plane, owner(n, "n1")))[0] for n in range(11, 15)]
        got += [(await take(programs.two, plane, owner(n, "n2")))[0] for n in (15, 16)]
        assert len(set(got)) == 6
        found = shipped.read(f"{BLOCKS}?fieldSelector=spec.plane=lending")["items"]
        assert {each["spec"]["node"] for each in found if each.get("lent")} == {"n1"}
        for number in range(11, 17):
            await books[number > 14].release("lending", f"c{number}", "net1")
    finally:
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, return_exceptions=True)
    for book in books:
        await book.retire()
    found = shipped.read(f"{BLOCKS}?fieldSelector=spec.plane=lending")["items"]
    assert not [each for each in found if each["spec"]["use"] == "Node" or each.get("holders")]


async def test_node_the_address_of_a_deleted_pod_passes_on_when_its_node_is_out_of_service(
    shipped: Shipped, programs: Programs
) -> None:
    await take(programs.one, PLANE, owner(4, "n1"), FIXED)
    with pytest.raises(Unavailable, match="may still run there"):
        await take(programs.two, PLANE, owner(5, "n2"), FIXED)
    name = "controls.static.10-31-0-64-26"
    for _ in range(2):
        await programs.keeper.reconcile(name)
    assert FIXED in shipped.read(f"{BLOCKS}/{name}")["holders"]
    taint = {"key": OUT_OF_SERVICE_TAINT, "value": "nodeshutdown", "effect": "NoExecute"}
    assert shipped.admin.merge("/api/v1/nodes/n1", {"spec": {"taints": [taint]}}).is_success
    async with asyncio.timeout(2 * LOOK_SECONDS):
        while FIXED in shipped.read(f"{BLOCKS}/{name}")["holders"]:
            await programs.keeper.reconcile(name)
            await asyncio.sleep(0.5)
    assert shipped.admin.merge("/api/v1/nodes/n1", {"spec": {"taints": None}}).is_success
    assert await take(programs.two, PLANE, owner(5, "n2"), FIXED) == [FIXED]


async def test_node_daemon_and_webhook_write_their_events(
    shipped: Shipped, programs: Programs
) -> None:
    dropped: list[str] = []
    writer = EventWriter(programs.n1, clock=SystemClock(), host="n1", on_drop=dropped.append)
    event = Event("PlaneDenied", "no", "Warning", "default", "told-of", "u")
    for _ in range(2):  # the second one is counted
        await writer.emit([event])
    assert dropped == []
    events = PlaneEvents(programs.webhook, SystemClock())
    await events.tell(PlaneSeen(PLANE, "u"), "Warning", "BlocksIgnored", "some")
    found = shipped.read(pods("default").replace("/pods", "/events"))["items"]
    said = {(each["reason"], each["involvedObject"]["name"]): each.get("count") for each in found}
    assert said["PlaneDenied", "told-of"] == 2
    assert said["BlocksIgnored", "controls"] == 1
