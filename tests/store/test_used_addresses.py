"""How many addresses of a plane are held or rest on a machine, counted from its files."""

from __future__ import annotations

import os
from ipaddress import ip_address
from pathlib import Path

from planes.model.spec.conflict_probe import LONGEST_REST_SECONDS
from planes.model.state.node_use import NodeUse
from planes.store.address_book import LocalAddressBook
from planes.store.protocol import AddressOwner
from planes.store.used_addresses import UsedAddresses
from tests.support.clock import FakeClock
from tests.support.planes import make_plane

PLANE = make_plane(ipam={"cooldownSeconds": 60}, subnets=[{"cidr": "10.9.0.0/28"}])
DUAL = make_plane(
    "dual", ipam={"cooldownSeconds": 60}, subnets=[{"cidr": "10.8.0.0/28"}, {"cidr": "fd00::/120"}]
)


class Scene:
    """An address book, and who counts."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = FakeClock()
        self.book = LocalAddressBook(root, self.clock)
        self.use = UsedAddresses(root, self.clock)

    async def count(self) -> dict[str, NodeUse]:
        return await self.use.counts([PLANE, DUAL])


async def test_a_released_address_rests_until_its_time_is_over(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    for number in range(3):
        await scene.book.claim(PLANE, AddressOwner(f"c{number}", "net1"))
    assert await scene.count() == {"business": NodeUse(3)}
    await scene.book.release("business", "c0", "net1")
    scene.clock.advance(30)
    await scene.book.release("business", "c1", "net1")
    assert await scene.count() == {"business": NodeUse(1, 2)}
    scene.clock.advance(31)
    assert await scene.count() == {"business": NodeUse(1, 1)}
    scene.clock.advance(30)
    assert await scene.count() == {"business": NodeUse(1)}


async def test_both_families_are_counted_apart(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    await scene.book.claim(DUAL, AddressOwner("c0", "net1"))
    await scene.book.release("dual", "c0", "net1")
    assert await scene.count() == {"dual": NodeUse(0, 1, 0, 1)}


async def test_an_address_that_is_handed_out_again_does_not_rest(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    owner = AddressOwner("c0", "net1")
    (address,) = await scene.book.claim(PLANE, owner)
    await scene.book.release("business", "c0", "net1")
    assert await scene.count() == {"business": NodeUse(0, 1)}
    (tmp_path / "business" / address.address.partition("/")[0]).touch()
    assert await scene.count() == {"business": NodeUse(1)}


async def test_a_plane_whose_addresses_rest_no_more_has_none(tmp_path: Path) -> None:
    """The administrator took the cooldown out."""
    scene = Scene(tmp_path)
    await scene.book.claim(PLANE, AddressOwner("c0", "net1"))
    await scene.book.release("business", "c0", "net1")
    assert await scene.use.counts([PLANE]) == {"business": NodeUse(0, 1)}
    plain = make_plane(subnets=[{"cidr": "10.9.0.0/28"}])
    assert await scene.use.counts([plain]) == {}


async def test_a_directory_that_did_not_change_is_not_read_again(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    await scene.book.claim(PLANE, AddressOwner("c0", "net1"))
    await scene.book.release("business", "c0", "net1")
    folder = tmp_path / "business"
    os.utime(folder, (1_700_000_000, 1_700_000_000))
    assert await scene.count() == {"business": NodeUse(0, 1)}
    (mark,) = folder.glob("cooling-*")
    mark.unlink()
    os.utime(folder, (1_700_000_000, 1_700_000_000))
    assert await scene.count() == {"business": NodeUse(0, 1)}


async def test_damaged_files_and_missing_directories_count_nothing(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    (tmp_path / "business").mkdir()
    for name, text in {
        "cooling-10.9.0.3": "x",
        "cooling-nonsense": "1",
        "cooling-10.9.0.4": "",
    }.items():
        (tmp_path / "business" / name).write_text(text)
    assert await scene.count() == {}


async def test_an_address_that_somebody_on_the_wire_has_rests_until_its_time_is_over(
    tmp_path: Path,
) -> None:
    scene = Scene(tmp_path)
    owner = AddressOwner("c0", "net1")
    (taken,) = await scene.book.claim(PLANE, owner)
    address = ip_address(taken.address.partition("/")[0])
    await scene.book.quarantine(PLANE, owner, {address: "02:00:00:00:00:01"})
    assert await scene.count() == {"business": NodeUse(1)}
    await scene.book.release("business", "c0", "net1")
    assert await scene.count() == {"business": NodeUse(0, 1)}
    scene.clock.advance(LONGEST_REST_SECONDS)
    assert await scene.count() == {}
