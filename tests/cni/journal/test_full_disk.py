"""A state directory on a full or read-only disk: no ADD begins, and nothing leaks."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cni.host.exec import Completed
from cni.journal.entry import Entry
from cni.reconcile.drain_node import DrainResult
from cni.reconcile.reconciler import GONE_SECONDS
from planes.model.errors import Internal
from tests.cni.runtime_scene import bench
from tests.support.cni.exec import PluginCall, plain
from tests.support.cni.runtime import NETNS, NOTHING, Bench

pytestmark = pytest.mark.kernel
IO = 5
TWO = "/run/netns/two"


class Disk:
    """A file system of 128 KiB."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filling = path / "filling"

    def fill(self) -> None:
        with self._filling.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return

    def empty(self) -> None:
        self._filling.unlink()

    def remount(self, option: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{option}", self.path], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    path = tmp_path / "disk"
    path.mkdir()
    options = ["-t", "tmpfs", "-o", "size=128k,nr_inodes=1k"]
    done = subprocess.run(["mount", *options, "tmpfs", path], check=False)
    if done.returncode:
        pytest.skip("may not mount a file system")
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", path], check=True)


async def scene(disk: Disk) -> Bench:
    """Return a runtime with one pod attached; there is a second sandbox."""
    made = await bench(disk.path)
    made.kernel.sandboxes[TWO] = (43, {"lo"})
    await made.call("ADD")
    return made


async def refused(made: Bench) -> None:
    before = made.leftovers()
    with pytest.raises(Internal, match="make room") as caught:
        await made.call("ADD", pod="plain/x", container="c2", netns=TWO)
    assert caught.value.cni_code == IO
    assert {**made.leftovers(), "calls": before["calls"]} == before


async def test_on_a_full_disk_no_pod_starts_and_the_others_can_go(disk: Disk) -> None:
    made = await scene(disk)
    disk.fill()
    await refused(made)
    await made.call("DEL", pod="plain/x", container="c2", netns=TWO)
    await made.call("DEL")
    assert made.leftovers() == {**NOTHING, "links": {NETNS: set(), TWO: set()}}


async def test_with_room_again_pods_start_again(disk: Disk) -> None:
    made = await scene(disk)
    disk.fill()
    await refused(made)
    disk.empty()
    await made.call("ADD", pod="plain/x", container="c2", netns=TWO)


async def test_a_disk_that_fills_while_a_plugin_runs_undoes_the_add(disk: Disk) -> None:
    made = await scene(disk)

    async def fill(call: PluginCall) -> Completed:
        disk.fill()
        return await plain(call)

    made.exec.scripts["one"] = fill
    await refused(made)


async def test_on_a_read_only_disk_del_is_repeated_until_it_can_be_written_down(
    disk: Disk,
) -> None:
    made = await scene(disk)
    disk.remount("ro")
    await refused(made)
    with pytest.raises(Internal, match="cannot remove the journal"):
        await made.call("DEL")
    disk.remount("rw")
    await made.call("DEL")
    await made.call("DEL", pod="plain/x", container="c2", netns=TWO)
    assert made.leftovers() == {**NOTHING, "links": {NETNS: set(), TWO: set()}}


async def test_on_a_read_only_disk_recovery_goes_on_until_it_can_be_written_down(
    disk: Disk,
) -> None:
    made = await scene(disk)
    made.kernel.sandboxes.clear()
    await made.reconciler.reconcile()
    made.clock.advance(GONE_SECONDS)
    disk.remount("ro")
    await made.reconciler.reconcile()
    assert len(made.journal) == 1
    disk.remount("rw")
    made.clock.advance(60)
    await made.reconciler.reconcile()
    assert made.leftovers() == {**NOTHING, "links": {}}


async def test_who_cannot_be_given_back_on_a_read_only_disk_is_named_by_uninstall(
    disk: Disk,
) -> None:
    made = await scene(disk)
    made.kernel.sandboxes.clear()
    disk.remount("ro")
    last = made.node_drain
    left = (await last.drain(is_forced=False)).left
    assert [entry.pod for entry in left if isinstance(entry, Entry)] == ["web"]
    assert len(left) == 1
    disk.remount("rw")
    assert await last.drain(is_forced=False) == DrainResult()
