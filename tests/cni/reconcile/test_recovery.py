"""Recovery: the journal and the kernel agree, at start and on a timer."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from cni.host.exec import Completed
from cni.journal.entry import Stage
from cni.reconcile.reconciler import GONE_SECONDS
from planes.model.errors import Internal, Unavailable
from planes.model.names import STATUS_ANNOTATION
from planes.run.logs import configure
from tests.cni.runtime_scene import bench
from tests.support.cni.exec import PluginCall, failed, plain
from tests.support.cni.runtime import NETNS, NOTHING, Bench


async def cut_off(root: Path) -> Bench:
    """Return a runtime whose process died in the middle of an ADD."""
    made = await bench(root)
    await made.call("ADD")
    entry = made.journal.find(("c1", "eth0"))
    assert entry is not None
    begun = tuple(replace(one, result=None) for one in entry.attachments)
    await made.journal.begin(replace(entry, stage=Stage.BEGUN, attachments=begun))
    return made


async def stuck(call: PluginCall) -> Completed:
    if call.kind == "two":
        return failed("stuck") if call.verb == "DEL" else await plain(call)
    return replace(await plain(call), stderr=b"said")


async def test_an_add_that_was_cut_off_is_undone_at_start(tmp_path: Path) -> None:
    made = await cut_off(tmp_path)
    await made.restart()
    assert made.leftovers() == NOTHING


async def test_adds_that_were_cut_off_are_undone_side_by_side(tmp_path: Path) -> None:
    """A drain waits for all of them: one plugin that hangs must cost its deadline once."""
    made = await cut_off(tmp_path)
    entry = made.journal.find(("c1", "eth0"))
    assert entry is not None
    await made.journal.begin(replace(entry, container_id="c2"))
    both = asyncio.Barrier(2)

    async def meets(call: PluginCall) -> Completed:
        await both.wait()
        return await plain(call)

    made.exec.scripts["two"] = meets
    async with asyncio.timeout(5):
        await made.restart()
    assert len(made.journal) == 0


async def test_a_start_does_not_wait_for_what_failed_before(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    made.exec.scripts["two"] = stuck
    await made.call("ADD")
    made.kernel.sandboxes.clear()
    await made.call("DEL")
    made.exec.calls.clear()
    await made.restart()
    assert made.exec.calls == []
    made.exec.scripts["two"] = plain
    await made.reconciler.reconcile()
    assert made.leftovers()["calls"] == 0


async def test_what_is_attached_stays_attached_over_a_restart(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    await made.call("ADD")
    before = made.leftovers()
    await made.restart()
    assert made.leftovers() == before


async def test_a_failing_release_is_tried_later_each_time(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    tries: list[float] = []

    async def stuck(call: PluginCall) -> Completed:
        if call.verb != "DEL":
            return await plain(call)
        tries.append(made.clock.monotonic())
        return failed("stuck")

    made.exec.scripts["two"] = stuck
    await made.call("ADD")
    made.kernel.sandboxes.clear()
    await made.call("DEL")
    tries.clear()
    for _ in range(600):
        await made.reconciler.reconcile()
        made.clock.advance(1)
    pauses = [b - a for a, b in pairwise(tries) if b > a]
    assert pauses == sorted(pauses)
    assert 4 <= len(pauses) <= 12
    made.exec.scripts["two"] = plain
    made.clock.advance(600)
    await made.reconciler.reconcile()
    assert made.leftovers()["calls"] == 0


async def test_a_sandbox_that_stays_gone_is_released(tmp_path: Path) -> None:
    """A reboot, or a runtime that never DELs: its addresses must not be lost for ever."""
    made = await bench(tmp_path)
    await made.call("ADD")
    made.kernel.sandboxes.clear()
    await made.reconciler.reconcile()
    assert made.leftovers()["calls"] == 1
    made.clock.advance(GONE_SECONDS)
    await made.reconciler.reconcile()
    assert made.leftovers() == {**NOTHING, "links": {}}


async def test_dels_that_hang_keep_no_address_of_a_sandbox_that_is_gone(tmp_path: Path) -> None:
    """Twenty of another namespace, more than have a lane, each for ever."""
    made = await bench(tmp_path)
    await made.call("ADD")
    entry = made.journal.find(("c1", "eth0"))
    assert entry is not None

    async def hangs(call: PluginCall) -> Completed:
        if call.env["CNI_CONTAINERID"] != "c1":
            await asyncio.Event().wait()
        return await plain(call)

    made.exec.scripts.update(one=hangs, two=hangs)
    for number in range(20):
        hanging = replace(entry, container_id=f"h{number}", namespace="slow", stage=Stage.LEAVING)
        await made.journal.begin(hanging)
    made.kernel.sandboxes.clear()
    task = asyncio.create_task(made.reconciler.run())
    try:
        async with asyncio.timeout(10):
            while made.journal.find(("c1", "eth0")) is not None:
                made.clock.advance(5)
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert made.native.held == set()


async def test_what_cannot_be_looked_at_now_is_not_gone(tmp_path: Path) -> None:
    """Without descriptors left no sandbox can be opened, and all of them live."""
    made = await bench(tmp_path)
    await made.call("ADD")
    made.kernel.survey_error = Unavailable("cannot open network namespace: Too many open files")
    await made.reconciler.reconcile()
    made.clock.advance(GONE_SECONDS)
    await made.reconciler.reconcile()
    assert made.leftovers()["calls"] == 1


async def test_an_add_undoes_first_what_was_cut_off_in_its_sandbox(tmp_path: Path) -> None:
    made = await cut_off(tmp_path)
    entry = made.journal.find(("c1", "eth0"))
    assert entry is not None
    await made.journal.forget(entry.key)
    await made.journal.begin(replace(entry, ifname="eth7"))
    await made.call("ADD")
    assert [one.ifname for one in made.journal.entries()] == ["eth0"]


async def test_what_an_add_could_not_undo_is_undone_by_the_next_look(tmp_path: Path) -> None:
    """Its journal could not be written: the entry still says that it was begun."""
    made = await cut_off(tmp_path)
    await made.reconciler.reconcile()
    assert made.leftovers() == NOTHING


async def test_a_sandbox_that_was_only_away_is_kept(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    await made.call("ADD")
    there = made.kernel.sandboxes.pop(NETNS)
    await made.reconciler.reconcile()
    made.kernel.sandboxes[NETNS] = there
    made.clock.advance(GONE_SECONDS)
    await made.reconciler.reconcile()
    made.kernel.sandboxes.pop(NETNS)
    await made.reconciler.reconcile()
    assert made.leftovers()["calls"] == 1


async def test_a_lost_network_status_is_written_again(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    await made.call("ADD")
    text = made.store.statuses.pop(("shop", "web"))
    pod = made.store.pod("shop", "web")
    assert pod is not None
    without = {key: v for key, v in pod.annotations.items() if key != STATUS_ANNOTATION}
    made.store.put_pod(replace(pod, annotations=without))
    await made.reconciler.reconcile()
    assert made.store.statuses["shop", "web"] == text


async def test_a_store_that_is_away_does_not_stop_the_look(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    await made.call("ADD")
    pod = made.store.pod("shop", "web")
    assert pod is not None
    made.store.put_pod(replace(pod, annotations={}))
    made.store.status_error = Unavailable("cannot write status")
    await made.reconciler.reconcile()


async def test_looks_again_and_again(tmp_path: Path) -> None:
    made = await cut_off(tmp_path)
    entry = made.journal.find(("c1", "eth0"))
    assert entry is not None
    await made.journal.update(replace(entry, stage=Stage.LEAVING))
    task = asyncio.create_task(made.reconciler.run())
    async with asyncio.timeout(10):
        while len(made.journal):
            await asyncio.sleep(0.001)
            made.clock.advance(30)
    task.cancel()
    await asyncio.wait([task])
    assert made.leftovers()["calls"] == 0


async def test_links_of_a_damaged_entry_are_removed_by_del(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    await made.call("ADD")
    path = made.journal_dir / "c1@eth0.json"
    path.write_bytes(path.read_bytes()[:-9])
    await made.restart()
    await made.call("DEL")
    assert made.kernel.sandboxes[NETNS][1] == {"lo"}
    assert await made.call("DEL") == {}


async def test_every_line_about_a_pod_names_it_outside_of_calls_too(tmp_path: Path) -> None:
    """Undo, retries and GC have no caller whose pod the lines could name."""
    made = await cut_off(tmp_path)
    made.exec.scripts.update(one=stuck, two=stuck)
    written = io.StringIO()
    handler = configure("info", written)
    try:
        await made.restart()
        made.clock.advance(60)
        await made.reconciler.reconcile()
        with pytest.raises(Internal):
            await made.call("GC", conf={"cni.dev/valid-attachments": []})
    finally:
        logging.getLogger().removeHandler(handler)
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    told = {line["event"] for line in lines if line["logger"].startswith("cni.")}
    assert {"undoing an ADD that was cut off", "cannot detach, will try again"} <= told
    assert {"collecting", "plugin said"} <= told
    assert {
        (line["pod"], line["uid"]) for line in lines if line["event"] in told - {"default network"}
    } == {("shop/web", "u1")}
