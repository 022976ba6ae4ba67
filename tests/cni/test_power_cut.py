"""A power cut during or after an ADD: in the next boot nothing of the sandbox is held any more.

The state directory and the address files are on a disk of their own, of which only what was written
to the device is left (decision 0038).
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cni.journal.files import inspect_entries
from tests.cni.scene import leftovers, set_up
from tests.support.node.daemon import DiedError, Place, place
from tests.support.node.netns import Node, namespace, why_no_reference
from tests.support.node.power_cut import Disk, disk, why_no_disk

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(300)]

_MODULE = "tests.support.node.after_boot"
_FACTOR = "60"  # a minute of grace in a second
_BINARIES = ("--native", "bridge=false,macvlan=false,host-local=false,static=false")


@pytest.fixture
def cut(here: Node) -> Iterator[tuple[Place, Disk]]:
    """A daemon's place on such a disk; skipped with the reason where there can be none."""
    with tempfile.TemporaryDirectory(prefix="np-t-") as name:
        folder = Path(name)
        if reason := why_no_disk(folder / "probe"):
            pytest.skip(reason)
        at = folder / "d"
        at.mkdir()
        with disk(folder, at) as made, place(at, here.host) as daemon:
            set_up(daemon)
            os.sync()
            yield daemon, made
            if daemon.process is not None and daemon.process.poll() is None:
                daemon.kill()


def boot(daemon: Place, number: int, *flags: str, how: str = "none", at: int = 0) -> None:
    daemon.start(*flags, module=(_MODULE, f"boot-{number}", _FACTOR, how, str(at)))


def attach(daemon: Place, number: int) -> None:
    """Attach a sandbox, whose namespace is gone when this returns."""
    with namespace("cut") as sandbox:
        daemon.call("ADD", sandbox.path, container=f"c{number}", pod="shop/web")
        daemon.kill()


def held(daemon: Place, here: Node) -> list[str]:
    """Return what outlived the power cut: address files and journal entries."""
    found = leftovers(daemon, here)
    return [*found["addresses"], *found["journal"]]


def is_released(daemon: Place, here: Node) -> bool:
    deadline = time.monotonic() + 20
    while held(daemon, here) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not held(daemon, here)


@pytest.mark.parametrize("written", ["nothing", "addresses"])
def test_nothing_is_held_after_a_power_cut_behind_the_answer(
    cut: tuple[Place, Disk], here: Node, written: str
) -> None:
    """The address files may be on the disk or not, and the journal entry whole, damaged or gone."""
    daemon, made = cut
    boot(daemon, 1)
    attach(daemon, 1)
    if written == "addresses":
        for path in (daemon.directory / "host-local").rglob("*"):
            _sync(path)
    made.cut_power()
    if written == "addresses":
        assert leftovers(daemon, here)["addresses"], "the cut took what was synced"
    boot(daemon, 2)
    assert is_released(daemon, here), (held(daemon, here), daemon.log)


def test_an_address_file_without_any_entry_is_released_in_the_next_boot_only(
    cut: tuple[Place, Disk], here: Node
) -> None:
    """The entry's name was lost with its content; until then the file may be of another program."""
    daemon, made = cut
    boot(daemon, 1)
    attach(daemon, 1)
    os.sync()
    made.cut_power()
    for path in (daemon.state / "journal").glob("*.json"):
        path.unlink()
    before = leftovers(daemon, here)["addresses"]
    assert before
    boot(daemon, 2)
    assert is_released(daemon, here), (held(daemon, here), daemon.log)
    foreign = daemon.directory / "host-local" / "cluster" / "10.244.1.77"
    foreign.write_text("another\r\neth0")
    assert daemon.stop() == 0
    boot(daemon, 2)
    time.sleep(3)
    assert foreign.exists()


def test_addresses_of_an_executed_ipam_are_released_since_their_entry_is_synced(
    cut: tuple[Place, Disk], here: Node
) -> None:
    for kind in ("bridge", "macvlan", "host-local", "static"):
        if reason := why_no_reference(kind):
            pytest.skip(reason)
    daemon, made = cut
    boot(daemon, 1, *_BINARIES)
    attach(daemon, 1)
    made.cut_power()
    found = inspect_entries(daemon.state / "journal")
    assert [entry.container_id for entry in found.entries] == ["c1"]
    assert found.damaged == ()
    boot(daemon, 2, *_BINARIES)
    assert is_released(daemon, here), (held(daemon, here), daemon.log)


def test_nothing_is_held_after_a_power_cut_at_any_step(cut: tuple[Place, Disk], here: Node) -> None:
    """Every sixth step: each boot of the machine ends during the ADD of the next sandbox."""
    daemon, made = cut
    for number, at in enumerate(range(4, 46, 6), start=1):
        boot(daemon, number, how="kill", at=at)
        assert is_released(daemon, here), f"cut before step {at - 6}\n{daemon.log}"
        with namespace("cut") as sandbox, suppress(DiedError):
            daemon.call("ADD", sandbox.path, container=f"c{number}", pod="shop/web")
        daemon.kill()
        made.cut_power()
    boot(daemon, 1000)
    assert is_released(daemon, here)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
