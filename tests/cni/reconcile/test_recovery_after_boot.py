"""After a reboot of the machine no earlier sandbox exists."""

from __future__ import annotations

from pathlib import Path

from tests.cni.runtime_scene import bench
from tests.support.cni.runtime import NOTHING


async def test_what_lived_before_the_machine_was_started_anew_is_freed_at_once(
    tmp_path: Path,
) -> None:
    made = await bench(tmp_path)
    made.boot = "before"
    await made.restart()
    await made.call("ADD")
    made.kernel.sandboxes.clear()
    made.boot = "after"
    await made.restart()
    assert made.leftovers() == {**NOTHING, "links": {}}


async def test_a_running_sandbox_is_kept_whatever_boot_the_journal_names(
    tmp_path: Path,
) -> None:
    made = await bench(tmp_path)
    made.boot = "before"
    await made.restart()
    await made.call("ADD")
    made.boot = "after"
    await made.restart()
    assert made.leftovers()["calls"] == 1


async def test_an_entry_that_does_not_tell_its_boot_waits_for_the_second_look(
    tmp_path: Path,
) -> None:
    """It was written by a release before this one."""
    made = await bench(tmp_path)
    await made.call("ADD")
    made.kernel.sandboxes.clear()
    made.boot = "after"
    await made.restart()
    assert made.leftovers()["calls"] == 1
