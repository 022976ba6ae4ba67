"""kill -9 at every step of a claim and of a release: the next DEL and ADD repair it.

The victim is a forked process that ends itself, as SIGKILL would, just before its n-th change of
the file system; an audit hook counts them, so no code under test is touched.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from planes.run.clock import SystemClock
from planes.store.address_book import LocalAddressBook
from planes.store.protocol import AddressOwner
from tests.store.claimer import PLANE

ROOT = Path(__file__).parents[2]
OWNER = AddressOwner("c1", "net1", "ns", "p", node="n")
MOST_STEPS = 40

_VICTIM = """
import asyncio, os, sys
from pathlib import Path
from planes.run.clock import SystemClock
from planes.store.address_book import LocalAddressBook
from planes.store.protocol import AddressOwner
from tests.store.claimer import PLANE

directory, verb, steps = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
book = LocalAddressBook(directory, SystemClock())
owner = AddressOwner("c1", "net1", "ns", "p", node="n")
if verb == "release":
    asyncio.run(book.claim(PLANE, owner))
left = [steps]
CHANGES = {"os.link", "os.remove", "os.rename", "os.mkdir", "open"}
def count(event, arguments):
    if event in CHANGES and str(directory) in str(arguments[0]):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), 9)
sys.addaudithook(count)
if verb == "release":
    asyncio.run(book.release("business", "c1", "net1"))
else:
    asyncio.run(book.claim(PLANE, owner))
"""


def killed_at(directory: Path, verb: str, step: int) -> bool:
    """Run the victim; tells whether it was killed (else it came to its end)."""
    done = subprocess.run(
        [sys.executable, "-c", _VICTIM, str(directory), verb, str(step)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, -9}, done.stderr
    return done.returncode == -9


@pytest.mark.parametrize("verb", ["claim", "release"])
async def test_whichever_step_it_is_killed_at_nothing_is_left_or_lost(
    tmp_path: Path, verb: str
) -> None:
    steps = 0
    while killed_at(tmp_path / str(steps), verb, steps):
        directory = tmp_path / str(steps)
        book = LocalAddressBook(directory, SystemClock())
        rival = await book.claim(PLANE, AddressOwner("c2", "net1"))
        again = await book.claim(PLANE, OWNER)
        assert not set(rival) & set(again)
        assert len(await book.holders("business")) == 4
        for owner in ("c1", "c2"):
            await book.release("business", owner, "net1")
        left = {path.name for path in (directory / "business").iterdir()}
        assert {name for name in left if not name.startswith(".tmp-")} <= {
            *(".lock", ".last-4", ".last-6")
        }
        steps += 1
        assert steps < MOST_STEPS
    assert steps >= 4


@pytest.mark.parametrize("step", range(12))
async def test_a_del_alone_is_enough_after_a_death_in_the_middle(tmp_path: Path, step: int) -> None:
    """No second ADD ever comes: the journal's DEL must find what was linked."""
    killed_at(tmp_path, "claim", step)
    book = LocalAddressBook(tmp_path, SystemClock())
    await book.release("business", "c1", "net1")
    assert await book.holders("business") == {}
    home = tmp_path / "business"
    assert not home.is_dir() or not any(name.startswith("owner") for name in os.listdir(home))
