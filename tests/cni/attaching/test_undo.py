"""An ADD that is cut off at any boundary leaves nothing, whichever way it is cut off."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from planes.model.errors import Internal, PlanesError, Unavailable
from tests.cni.runtime_scene import bench
from tests.support.cni.exec import PluginCall, failed, ok, plain
from tests.support.cni.runtime import NOTHING, Bench


async def boundaries(root: Path) -> list[str]:
    """Return the boundaries of an ADD that nothing disturbs."""
    made = await bench(root)
    await made.call("ADD")
    return made.probe.seen


async def test_the_boundaries_cover_every_step(tmp_path: Path) -> None:
    seen = await boundaries(tmp_path)
    assert seen[:3] == ["called", "planned", "journal.begun"]
    assert set(seen) >= {
        "claimed",
        "ran:eth0:one",
        "ran:eth0:meta",
        "ran:net1:two",
        "ran:net1:meta",
        "ran:net2:inside",
        "ran:net3:macvlan",
        "attached",
        "committed",
    }


async def test_a_failure_at_any_boundary_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        raise Internal("cannot go on: the test says so")

    (tmp_path / "whole").mkdir()
    for number, boundary in enumerate(await boundaries(tmp_path / "whole")):
        made = await _fresh(tmp_path, number)
        made.probe.at, made.probe.act = number, fail
        with pytest.raises(PlanesError):
            await made.call("ADD")
        assert made.leftovers() == NOTHING, boundary


async def test_a_cancellation_at_any_boundary_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    for number, boundary in enumerate(await boundaries(tmp_path / "whole")):
        made = await _fresh(tmp_path, number)
        task = asyncio.create_task(made.call("ADD"))
        made.probe.at, made.probe.act = number, task.cancel
        await asyncio.wait([task])
        if task.cancelled():
            assert made.leftovers() == NOTHING, boundary
        else:  # it came after the last await: the ADD is whole
            assert boundary == "committed"
            assert made.leftovers()["calls"] == 1


async def test_a_cancellation_at_any_turn_of_the_loop_leaves_nothing(tmp_path: Path) -> None:
    """Finer than boundaries: cancelled after n turns, for every n until the ADD is done."""
    for turns in range(0, 200, 3):
        made = await _fresh(tmp_path, turns)
        task = asyncio.create_task(made.call("ADD"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            break
        assert made.leftovers() == NOTHING, turns


async def test_cancelling_twice_does_not_cut_the_undo_off(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    task = asyncio.create_task(made.call("ADD"))
    made.probe.at, made.probe.act = 6, task.cancel

    async def slow(call: PluginCall):  # type: ignore[no-untyped-def]  # a script
        if call.verb == "DEL":
            task.cancel()
            await asyncio.sleep(0.01)
        return await plain(call)

    made.exec.scripts["one"] = slow
    await asyncio.wait([task])
    assert task.cancelled()
    assert made.leftovers() == NOTHING


@pytest.mark.parametrize("victim", ["one", "two", "meta", "macvlan"])
async def test_a_plugin_that_fails_after_acting_is_undone_too(tmp_path: Path, victim: str) -> None:
    made = await bench(tmp_path)

    async def fail(call: PluginCall):  # type: ignore[no-untyped-def]  # a script
        return failed("broken") if call.verb == "ADD" else ok()

    made.exec.scripts[victim] = fail
    with pytest.raises(PlanesError, match="broken"):
        await made.call("ADD")
    assert made.leftovers() == NOTHING


async def test_a_native_plugin_that_fails_after_acting_is_undone_too(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    made.native.add_error = Internal("cannot make it")
    with pytest.raises(PlanesError, match="cannot make it"):
        await made.call("ADD")
    assert made.leftovers() == NOTHING


async def test_a_status_that_cannot_be_written_undoes_everything(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    made.store.status_error = Unavailable("cannot write status: the store is away")
    with pytest.raises(Unavailable, match="status"):
        await made.call("ADD")
    assert made.leftovers() == NOTHING


async def test_a_journal_that_cannot_be_written_means_nothing_is_begun(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    made.journal_dir.rmdir()
    made.journal_dir.write_text("in the way")
    with pytest.raises(Internal, match="journal"):
        await made.call("ADD")
    assert made.exec.calls == []


async def test_what_cannot_be_undone_stays_in_the_journal_until_it_can(tmp_path: Path) -> None:
    made = await bench(tmp_path)

    async def stuck(call: PluginCall):  # type: ignore[no-untyped-def]  # a script
        return failed("stuck")

    works = made.exec.scripts["two"]
    made.exec.scripts["two"] = stuck
    with pytest.raises(PlanesError, match="stuck"):
        await made.call("ADD")
    assert made.leftovers()["plugins"] == {("two", "c1", "net1")}
    assert made.leftovers()["calls"] == 1
    made.exec.scripts["two"] = works
    await made.reconciler.reconcile()
    assert made.leftovers() == NOTHING


async def _fresh(root: Path, number: int) -> Bench:
    place = root / str(number)
    place.mkdir()
    return await bench(place)
