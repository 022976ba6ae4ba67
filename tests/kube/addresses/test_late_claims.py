"""A claim whose request arrives when its pod is gone: the address does not stay taken."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from planes.kube.addresses.address_book import KubeAddressBook
from planes.kube.addresses.holders import Holder, read_static, rewritten
from planes.kube.addresses.static_releases import LATE_SECONDS
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import parse_address
from planes.model.errors import Conflict, JsonObject, Unavailable
from tests.kube.addresses.static_scene import A, B, owner, take, written
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube


class Scene:
    """A node, a static block with one holder, and a claim of a second one that is under way."""

    def __init__(self, state: Path) -> None:
        self.kube = FakeKube()
        self.clock = FakeClock()
        self.state = state
        self.book = self.start()

    def start(self) -> KubeAddressBook:
        return KubeAddressBook(self.kube, "n1", self.state, self.clock)

    async def late(self) -> JsonObject:
        """Have a claim of B fail; return what it sent, which has not arrived yet."""
        await take(self.book, owner(1), A)
        (obj,) = self.kube.objects(IPBLOCKS)
        block = read_static(obj)
        holders = {**block.holders, parse_address(B): Holder(owner(2), 1)}
        broken = Unavailable("cannot ask the API server: the connection broke")
        self.kube.fail_next(broken, verb="update")
        with pytest.raises(Unavailable):
            await take(self.book, owner(2), B)
        return rewritten(obj, block, holders, {})

    async def run(self, book: KubeAddressBook, seconds: float) -> None:
        running = asyncio.create_task(book.run())
        for _ in range(round(seconds)):
            await asyncio.sleep(0.002)
            self.clock.advance(1.0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_claim_that_arrives_after_its_release_is_removed(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    sent = await scene.late()
    await scene.book.release("business", "c2", "net1")
    await scene.run(scene.book, 5)
    await scene.kube.replace(IPBLOCKS, sent)
    assert written(scene.kube) == {A: "c1", B: "c2"}
    await scene.run(scene.book, LATE_SECONDS + 5)
    assert written(scene.kube) == {A: "c1"}


async def test_so_is_one_of_a_daemon_that_was_killed(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    sent = await scene.late()
    await scene.run(scene.start(), 5)
    await scene.kube.replace(IPBLOCKS, sent)
    after = scene.start()
    await scene.run(after, LATE_SECONDS + 5)
    assert written(scene.kube) == {A: "c1"}


async def test_a_release_that_arrives_after_its_attachment_claimed_again_fails(
    tmp_path: Path,
) -> None:
    """The entry stands as before, so the claim writes it anew: else another pod could have it."""
    scene = Scene(tmp_path)
    await take(scene.book, owner(1), A)
    (obj,) = scene.kube.objects(IPBLOCKS)
    sent = rewritten(obj, read_static(obj), {}, {})
    await scene.book.release("business", "c1", "net1")
    assert await take(scene.book, owner(1), A) == [A]
    with pytest.raises(Conflict):
        await scene.kube.replace(IPBLOCKS, sent)
    assert written(scene.kube) == {A: "c1"}


async def test_meanwhile_another_pod_of_the_node_can_have_the_address(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    sent = await scene.late()
    await scene.run(scene.book, 5)
    await scene.kube.replace(IPBLOCKS, sent)
    assert await take(scene.book, owner(3), B) == [B]
    await scene.run(scene.book, LATE_SECONDS + 5)
    assert written(scene.kube) == {A: "c1", B: "c3"}


async def test_a_claim_that_was_refused_leaves_nothing_to_look_at_again(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    await take(scene.book, owner(1), A)
    with pytest.raises(Conflict):
        await take(scene.book, owner(2), A)
    await scene.run(scene.book, 5)
    assert len(list((tmp_path / "static-addresses").glob("*.json"))) == 1


async def test_claims_that_sent_nothing_leave_nothing_however_often_they_fail(
    tmp_path: Path,
) -> None:
    """The API server is away: a pod is tried again, each time with another sandbox, for hours."""
    scene = Scene(tmp_path)
    for number in range(50):
        scene.kube.fail_next(Unavailable("cannot ask the API server"), times=9)
        with pytest.raises(Unavailable):
            await take(scene.book, owner(number), A)
        await scene.book.release("business", f"c{number}", "net1")
    assert not list((tmp_path / "static-addresses").iterdir())
    assert await scene.book.held_by_others([]) == ()


async def test_a_claim_whose_request_was_sent_leaves_its_record(tmp_path: Path) -> None:
    """The control."""
    scene = Scene(tmp_path)
    await scene.late()
    assert len(list((tmp_path / "static-addresses").iterdir())) == 2
