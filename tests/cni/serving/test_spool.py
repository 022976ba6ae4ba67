"""Spooled DELs: replayed in order, kept while they fail, done before a new ADD."""

from __future__ import annotations

import asyncio
import os
import stat
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni.call import CniRequest, parse_call
from cni.serving.protocol import Postponed, join_request, split_request
from cni.serving.spool import Replay, Spool
from cni.serving.spool_first import SpoolFirst
from planes.model.errors import BadInput, PlanesError, Unavailable
from tests.support.clock import FakeClock
from tests.support.cni.verbs import FakeVerbs

CONF = b'{"cniVersion":"1.0.0","name":"net","type":"netplane"}'


def request(verb: str = "DEL", container_id: str = "c0ffee", body: bytes = CONF) -> bytes:
    head = (
        f"POST /v1/cni HTTP/1.1\r\nHost: netplane\r\nCni-Command: {verb}\r\n"
        f"Cni-Containerid: {container_id}\r\nCni-Netns: /x\r\nCni-Ifname: eth0\r\n"
        f"Cni-Path: /opt/cni/bin\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def add(container_id: str = "c0ffee", verb: str = "ADD") -> CniRequest:
    env = {
        "CNI_COMMAND": verb,
        "CNI_CONTAINERID": container_id,
        "CNI_NETNS": "/x",
        "CNI_IFNAME": "eth0",
        "CNI_PATH": "/opt/cni/bin",
    }
    return parse_call(env, CONF)


class Place:
    """A spool, its directory, its clock and its verbs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = FakeClock()
        self.verbs = FakeVerbs(b"")
        self.spool = Spool(directory, self.verbs, self.clock, deadline=5.0)

    def put(self, name: str, data: bytes) -> Path:
        self.directory.mkdir(exist_ok=True)
        path = self.directory / name
        path.write_bytes(data)
        return path

    def names(self) -> list[str]:
        return sorted(os.listdir(self.directory))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "spool")


async def test_no_directory_is_an_empty_spool(place: Place) -> None:
    assert await place.spool.replay() == Replay()
    await place.spool.finish("c0ffee")


async def test_files_are_carried_out_in_the_order_of_a_sandbox_and_unlinked(place: Place) -> None:
    order = [b"%d" % number for number in range(1, 6)]
    for number in (3, 1, 5, 2, 4):
        body = CONF[:-1] + b',"n":%d}' % number
        place.put(f"{number}.request", request(body=body))
        place.put(f"{number}-other.request", request(container_id=f"c{number}"))
    assert await place.spool.replay() == Replay(done=10)
    mine = [r.stdin[-2:-1] for r in place.verbs.requests if r.container_id == "c0ffee"]
    assert (mine, place.names()) == (order, [])


async def test_an_unreadable_directory_is_logged_and_looked_at_again(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file")
    spool = Place(tmp_path / "spool").spool
    assert await spool.replay() == Replay()
    with pytest.raises(Unavailable, match="cannot read the spool"):
        await spool.finish("c0ffee")


async def test_a_del_that_fails_is_kept_and_tried_again_later_each_time(place: Place) -> None:
    place.put("1.request", request())
    place.verbs.behaviour = Unavailable("cannot now")
    pauses = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    for pause in pauses:
        assert await place.spool.replay() == Replay(failed=1)
        place.clock.advance(pause - 0.5)
        assert await place.spool.replay() == Replay()
        place.clock.advance(0.5)
    place.verbs.behaviour = b""
    assert await place.spool.replay() == Replay(done=1)
    assert (place.names(), len(place.verbs.requests)) == ([], len(pauses) + 1)


async def test_a_del_that_fails_does_not_hold_up_others(place: Place) -> None:
    async def one_fails(call: CniRequest) -> bytes:
        if call.container_id == "bad":
            raise ValueError("a bug")
        return b""

    place.verbs.behaviour = one_fails
    place.put("1.request", request(container_id="bad"))
    place.put("2.request", request(container_id="good"))
    assert await place.spool.replay() == Replay(done=1, failed=1)
    assert place.names() == ["1.request"]


async def test_a_del_that_hangs_is_given_up_at_its_deadline(tmp_path: Path) -> None:
    async def hangs(_: CniRequest) -> bytes:
        await asyncio.sleep(3600)
        return b""

    place = Place(tmp_path)
    spool = Spool(tmp_path, FakeVerbs(hangs), place.clock, deadline=0.05)
    place.put("1.request", request())
    assert await spool.replay() == Replay(failed=1)
    assert place.names() == ["1.request"]


@pytest.mark.parametrize(
    "data",
    [b"", b"garbage", request()[:-1], request("ADD"), request(body=b"{"), request("DEL", "a/b")],
)
async def test_what_is_no_del_is_quarantined_with_the_reason(place: Place, data: bytes) -> None:
    place.put("1.request", data)
    assert await place.spool.replay() == Replay(quarantined=1)
    aside = place.directory / "quarantine"
    assert (aside / "1.request").read_bytes() == data
    assert (aside / "1.request.reason").read_text().startswith("cannot ")
    assert stat.S_IMODE(aside.stat().st_mode) == 0o700
    assert place.names() == ["quarantine"]
    assert await place.spool.replay() == Replay()
    assert place.verbs.requests == []


async def test_a_file_still_being_written_is_not_looked_at(place: Place) -> None:
    """One that stays so was left by a shim that was killed, and goes after an hour."""
    path = place.put("1.request.tmp", request())
    os.utime(path, (place.clock.now(), place.clock.now()))
    assert await place.spool.replay() == Replay()
    assert path.exists()
    place.clock.advance(3601)
    await place.spool.replay()
    assert not path.exists()


async def test_an_add_waits_for_the_spooled_dels_of_its_sandbox_only(place: Place) -> None:
    place.put("1.request", request(container_id="c0ffee"))
    place.put("2.request", request(container_id="other"))
    await SpoolFirst(place.verbs, place.spool).handle(add())
    seen = [(str(r.verb), r.container_id) for r in place.verbs.requests]
    assert seen == [("DEL", "c0ffee"), ("ADD", "c0ffee")]
    assert place.names() == ["2.request"]


async def test_an_add_sees_a_del_spooled_a_moment_ago(place: Place) -> None:
    """Also where the directory was listed before, and where it did not exist."""
    verbs = SpoolFirst(place.verbs, place.spool)
    place.clock.set_wall(time.time())
    for number in range(20):
        await verbs.handle(add())
        place.put(f"{number}.request", request())
        await verbs.handle(add())
        assert place.names() == []
    place.clock.advance(60)
    await verbs.handle(add())
    place.put("late.request", request())
    await verbs.handle(add())
    assert place.names() == []


async def test_an_add_is_refused_while_an_earlier_del_of_its_sandbox_fails(place: Place) -> None:
    place.put("1.request", request())
    place.verbs.behaviour = Unavailable("cannot now")
    with pytest.raises(PlanesError, match="an earlier DEL of it still fails") as caught:
        await SpoolFirst(place.verbs, place.spool).handle(add())
    assert caught.value.cni_code == 11
    assert [str(r.verb) for r in place.verbs.requests] == ["DEL"]


async def test_a_del_being_replayed_is_not_repeated_after_the_add(place: Place) -> None:
    """A pass that has a file in hand when the ADD comes must not run it once more, later."""
    gate = asyncio.Event()

    async def waits(_: CniRequest) -> bytes:
        await gate.wait()
        return b""

    place.verbs.behaviour = waits
    place.put("1.request", request())
    replay = asyncio.create_task(place.spool.replay())
    await place.verbs.begun.wait()
    adding = asyncio.create_task(SpoolFirst(place.verbs, place.spool).handle(add()))
    await asyncio.sleep(0.05)
    assert [str(r.verb) for r in place.verbs.requests] == ["DEL"]
    gate.set()
    await asyncio.gather(replay, adding)
    assert [str(r.verb) for r in place.verbs.requests] == ["DEL", "ADD"]


async def test_it_looks_again_and_again_until_cancelled(place: Place) -> None:
    place.put("1.request", request())
    running = asyncio.create_task(place.spool.run())
    for number in (2, 3):
        await asyncio.wait_for(place.verbs.begun.wait(), 5)
        place.verbs.begun.clear()
        async with asyncio.timeout(10):
            while not place.clock.sleepers:
                await asyncio.sleep(0.001)
        place.put(f"{number}.request", request())
        place.clock.advance(2.0)
    await asyncio.wait_for(place.verbs.begun.wait(), 5)
    running.cancel()
    await asyncio.wait({running})


async def test_a_cancelled_replay_keeps_the_file(place: Place) -> None:
    async def hangs(_: CniRequest) -> bytes:
        await asyncio.sleep(3600)
        return b""

    place.verbs.behaviour = hangs
    place.put("1.request", request())
    replay = asyncio.create_task(place.spool.replay())
    await place.verbs.begun.wait()
    replay.cancel()
    await asyncio.wait({replay})
    assert place.names() == ["1.request"]
    assert place.verbs.cancelled == [("DEL", "c0ffee")]


async def test_a_del_does_not_overtake_an_add_that_settles_first(place: Place) -> None:
    """The runtime gave its ADD up and sends DEL while the spool is still being read."""
    verbs = SpoolFirst(place.verbs, place.spool)
    await asyncio.gather(verbs.handle(add()), verbs.handle(add(verb="DEL")))
    assert [str(request.verb) for request in place.verbs.requests] == ["ADD", "DEL"]


async def test_a_postponed_del_is_kept_as_the_shim_would_have_written_it(place: Place) -> None:
    place.verbs.behaviour = Postponed("not now")
    verbs = SpoolFirst(place.verbs, place.spool)
    assert await verbs.handle(add(verb="DEL")) == b""
    (name,) = place.names()
    assert stat.S_IMODE(place.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((place.directory / name).stat().st_mode) == 0o600
    with pytest.raises(Unavailable, match="an earlier DEL of it still fails"):
        await verbs.handle(add())
    place.verbs.behaviour = b""
    place.clock.advance(1)
    assert await place.spool.replay() == Replay(done=1)
    assert place.verbs.requests[-1] == add(verb="DEL")


@given(st.lists(st.text(min_size=1), max_size=3), st.text(), st.binary(max_size=9))
def test_what_is_joined_is_split_again_or_refused(
    directories: list[str], netns: str, more: bytes
) -> None:
    """Variables come from whoever speaks Multus' protocol: they may hold any character."""
    asked = replace(add(verb="DEL"), netns=netns, cni_path=tuple(directories), stdin=CONF + more)
    try:
        data = join_request(asked)
    except BadInput:
        assert {"\r", "\n"} & set(netns + "".join(directories))
        return
    headers, body = split_request(data)
    assert body == CONF + more
    assert headers.get("cni-netns", "") == netns.strip(" \t")
    assert headers.get("cni-path", "") == ":".join(directories).strip(" \t")
