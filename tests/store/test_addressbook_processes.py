"""The local address book between processes: racing, killed, stopped."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from planes.model.addresses import IPAddress
from planes.model.errors import Unavailable
from planes.run.clock import SystemClock
from planes.store import address_files as addressfiles
from planes.store.address_book import LocalAddressBook
from planes.store.address_files import AddressFiles
from planes.store.protocol import AddressOwner
from tests.store.claimer import PLANE

ROOT = Path(__file__).parents[2]


def start(directory: Path, name: str, count: int, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.store.claimer", str(directory), name, str(count), *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def holders(directory: Path) -> Mapping[IPAddress, AddressOwner]:
    return asyncio.run(LocalAddressBook(directory, SystemClock()).holders("business"))


def test_racing_processes_never_get_one_address_twice(tmp_path: Path) -> None:
    """Six daemons on one directory: what is printed and what is recorded agree, all distinct."""
    runs = [start(tmp_path, f"node{n}", 30, "keep") for n in range(6)]
    printed = [line for run in runs for line in run.communicate(timeout=25)[0].split()]
    assert [run.returncode for run in runs] == [0] * 6
    assert len(printed) == len(set(printed)) == 6 * 30 * 2
    assert {str(address) for address in holders(tmp_path)} == {p.split("/")[0] for p in printed}


def test_a_plane_can_be_used_to_its_last_address(tmp_path: Path) -> None:
    """253 usable addresses, 253 attachments by racing processes."""
    runs = [start(tmp_path, f"node{n}", count, "keep") for n, count in enumerate((90, 90, 73))]
    for run in runs:
        run.communicate(timeout=25)
    assert [run.returncode for run in runs] == [0] * 3
    assert sum(address.version == 4 for address in holders(tmp_path)) == 253


def test_killed_at_any_moment_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    """Kill -9 in the middle of claims and releases, many times; DEL then finds everything."""

    async def clean_up(name: str) -> None:
        book = LocalAddressBook(tmp_path, SystemClock())
        held = await book.holders("business")
        assert all(who.container_id for who in held.values())
        for owner in {who.container_id for who in held.values() if who.node == name}:
            await book.release("business", owner, "net1")

    for turn in range(12):
        name = f"victim{turn}"
        victim = start(tmp_path, name, 0)
        assert victim.stdout is not None
        victim.stdout.readline()  # it works by now
        time.sleep(0.002 + turn * 0.0013)
        victim.kill()
        victim.wait()
        victim.stdout.close()
        asyncio.run(clean_up(name))
        assert holders(tmp_path) == {}
    survivor = start(tmp_path, "survivor", 20, "keep")
    printed = survivor.communicate(timeout=20)[0].split()
    assert len(set(printed)) == 40


def test_a_retried_attachment_gets_an_address_after_its_first_try_was_killed(
    tmp_path: Path,
) -> None:
    """The record was linked, the address not yet: the next try must not think it holds one."""
    directory = tmp_path / "business"
    files = AddressFiles(directory)
    with files.lock():
        files.take(AddressOwner("c1", "net1"), [], 0)
    book = LocalAddressBook(tmp_path, SystemClock())
    claimed = asyncio.run(book.claim(PLANE, AddressOwner("c1", "net1")))
    assert len(claimed) == 2
    assert len(holders(tmp_path)) == 2


def test_leftovers_of_a_killed_writer_are_removed(tmp_path: Path) -> None:
    directory = tmp_path / "business"
    directory.mkdir()
    (directory / ".tmp-1-abc").write_bytes(b"{")
    with AddressFiles(directory).lock():
        AddressFiles(directory).listing()
    assert not (directory / ".tmp-1-abc").exists()


def test_a_stopped_process_that_keeps_the_lock_is_told_of(tmp_path: Path) -> None:
    """Waiting for it has an end, and the error says how to find it."""
    directory = tmp_path / "business"
    directory.mkdir()
    handle = os.open(directory / ".lock", os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        files = AddressFiles(directory, lock_seconds=0.05)
        with pytest.raises(Unavailable, match="cannot lock the address directory"), files.lock():
            pass
    finally:
        os.close(handle)
    assert addressfiles.LOCK_SECONDS < 60  # the shim's own patience


def test_the_lock_of_a_killed_process_is_free_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; sys.path.insert(0, sys.argv[2]);"
        "from planes.store.address_files import AddressFiles\n"
        "with AddressFiles(Path(sys.argv[1])).lock(): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path), str(ROOT)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    with AddressFiles(tmp_path, lock_seconds=1).lock():
        pass
