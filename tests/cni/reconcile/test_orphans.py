"""What no journal entry accounts for is released, unless a sandbox may still use it."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from cni.reconcile.orphans import GRACE_SECONDS
from planes.model.errors import Unavailable
from planes.store.protocol import AddressOwner
from tests.cni.runtime_scene import bench
from tests.support.cni.runtime import NETNS, Bench

ADDRESS = ip_address("10.9.0.7")
LOST = AddressOwner("gone", "net1", "shop", "old", "u0", "node-a")


async def scene(root: Path, owner: AddressOwner = LOST) -> Bench:
    """Return a runtime whose address book holds an address that nothing accounts for."""
    made = await bench(root)
    made.store.addresses.held["business"] = {ADDRESS: owner}
    return made


async def look_twice(made: Bench) -> None:
    await made.orphans.reconcile()
    made.clock.advance(GRACE_SECONDS)
    await made.orphans.reconcile()


async def test_an_address_nobody_has_is_given_back_at_the_second_sight(tmp_path: Path) -> None:
    made = await scene(tmp_path)
    await made.orphans.reconcile()
    made.clock.advance(GRACE_SECONDS / 2)
    await made.orphans.reconcile()
    assert ADDRESS in made.store.addresses.held["business"]
    made.clock.advance(GRACE_SECONDS / 2)
    await made.orphans.reconcile()
    assert made.store.addresses.held["business"] == {}


async def test_an_address_that_an_interface_has_stays_held(tmp_path: Path) -> None:
    made = await scene(tmp_path)
    made.kernel.live.add(ADDRESS)
    await look_twice(made)
    assert ADDRESS in made.store.addresses.held["business"]


async def test_while_a_namespace_cannot_be_looked_into_nothing_is_given_back(
    tmp_path: Path,
) -> None:
    made = await scene(tmp_path)
    await made.orphans.reconcile()
    made.clock.advance(GRACE_SECONDS)
    made.kernel.survey_error = Unavailable("cannot open network namespace: Too many open files")
    with pytest.raises(Unavailable):
        await made.orphans.reconcile()
    assert ADDRESS in made.store.addresses.held["business"]


async def test_an_address_of_another_node_is_left_to_it(tmp_path: Path) -> None:
    made = await scene(tmp_path, AddressOwner("gone", "net1", node="node-b"))
    await look_twice(made)
    assert ADDRESS in made.store.addresses.held["business"]


async def test_what_is_attached_is_accounted_for(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    await made.call("ADD")
    (entry,) = made.journal.entries()
    owner = entry.call(entry.attachments[0], NETNS).owner
    made.store.addresses.held["business"] = {ADDRESS: owner}
    await look_twice(made)
    assert ADDRESS in made.store.addresses.held["business"]


async def test_an_address_that_was_taken_between_two_sights_begins_anew(tmp_path: Path) -> None:
    made = await scene(tmp_path)
    await made.orphans.reconcile()
    made.store.addresses.held["business"].clear()
    made.clock.advance(GRACE_SECONDS)
    await made.orphans.reconcile()
    made.store.addresses.held["business"][ADDRESS] = LOST
    await made.orphans.reconcile()
    assert ADDRESS in made.store.addresses.held["business"]


async def damaged(root: Path, content: bytes | None = None) -> Bench:
    """Return a runtime that finds the entry of an attached sandbox cut, or of other content."""
    made = await bench(root)
    await made.call("ADD")
    held = AddressOwner("c1", "net9", "shop", "web", "u1", "node-a")
    made.store.addresses.held["business"] = {ADDRESS: held}
    network = made.data_dir / "networks" / "n"
    network.mkdir(parents=True)
    (network / "10.7.0.2").write_text("c1\r\nnet1")
    (network / "10.7.0.3").write_text("c2\r\nnet1")
    path = made.journal_dir / "c1@eth0.json"
    path.write_bytes(path.read_bytes()[:-9] if content is None else content)
    await made.restart()
    assert made.journal.entries() == ()
    return made


def kept(made: Bench) -> list[str]:
    return sorted(path.name for path in (made.data_dir / "networks" / "n").glob("10.*"))


@pytest.mark.parametrize("content", [None, b"", b"{}\n", b'{"version":2,"sha256":"0"}'])
async def test_del_of_a_damaged_entry_gives_back_what_it_held(
    tmp_path: Path, content: bytes | None
) -> None:
    made = await damaged(tmp_path, content)
    await made.call("DEL")
    assert made.store.addresses.held["business"] == {}
    assert kept(made) == ["10.7.0.3"]
    assert {"net1", "net9"} <= set(made.kernel.removals[-1])
    assert made.journal.damaged() == ()
    assert list((made.journal_dir / "damaged").iterdir()) == []


async def test_a_damaged_entry_is_settled_without_del_when_its_sandbox_is_gone(
    tmp_path: Path,
) -> None:
    made = await damaged(tmp_path)
    made.kernel.sandboxes.clear()
    await look_twice(made)
    assert made.store.addresses.held["business"] == {}
    assert kept(made) == ["10.7.0.3"]
    assert made.journal.damaged() == ()


async def test_a_damaged_entry_of_a_running_sandbox_keeps_everything(tmp_path: Path) -> None:
    made = await damaged(tmp_path)
    await look_twice(made)
    assert ADDRESS in made.store.addresses.held["business"]
    assert kept(made) == ["10.7.0.2", "10.7.0.3"]
    assert len(made.journal.damaged()) == 1


async def test_an_entry_that_tells_nothing_keeps_what_an_interface_has(tmp_path: Path) -> None:
    made = await damaged(tmp_path, b"")
    made.kernel.live.add(ip_address("10.7.0.2"))
    await look_twice(made)
    assert kept(made) == ["10.7.0.2", "10.7.0.3"]


async def test_a_damaged_entry_is_known_after_a_second_restart(tmp_path: Path) -> None:
    made = await damaged(tmp_path, b"")
    await made.restart()
    await made.call("DEL")
    assert made.store.addresses.held["business"] == {}
