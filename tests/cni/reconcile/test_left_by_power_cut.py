"""Address files without an entry are searched once for each boot, in recorded directories."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

from cni.host.data_dirs import DataDirs
from cni.ipam import used_networks
from cni.ipam.host_local_files import HostLocalFiles, owner_text
from cni.ipam.kept import KeptAddresses
from cni.ipam.used_networks import UsedNetworks
from cni.reconcile.left_by_power_cut import GRACE_SECONDS, LeftByPowerCut
from tests.cni.runtime_scene import bench
from tests.support.cni.runtime import Bench


def keep(root: Path, network: str, address: str, container: str) -> Path:
    folder = root / "networks" / network
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / address
    file.write_text(owner_text(container, "net1"))
    return file


def search(made: Bench, root: Path, used: UsedNetworks, boot: str = "after") -> LeftByPowerCut:
    return LeftByPowerCut(
        journal=made.journal,
        kept=KeptAddresses(HostLocalFiles(), DataDirs((str(root),))),
        used=used,
        live=made.kernel,
        call_locks=made.call_locks,
        clock=made.clock,
        boot=boot,
        marker=root / "boot",
    )


async def rounds(made: Bench, left: LeftByPowerCut) -> None:
    await left.reconcile()
    made.clock.advance(GRACE_SECONDS)
    await left.reconcile()


async def test_what_no_entry_and_no_interface_has_is_released(tmp_path: Path) -> None:
    """Not what an interface has: another CNI keeps its addresses in the same place."""
    made = await bench(tmp_path)
    await made.call("ADD")
    gone = keep(tmp_path, "ours", "10.1.0.2", "c9")
    empty = keep(tmp_path, "ours", "10.1.0.3", "")
    empty.write_text("")
    attached = keep(tmp_path, "ours", "10.1.0.4", "c1")
    alive = keep(tmp_path, "ours", "10.1.0.5", "other")
    foreign = keep(tmp_path, "theirs", "10.2.0.2", "c9")
    made.kernel.live = {ip_address("10.1.0.5")}
    used = UsedNetworks(tmp_path / "used")
    used.note(str(tmp_path / "networks" / "ours"))
    left = search(made, tmp_path, used)
    await left.reconcile()
    assert gone.exists(), "released before the grace"
    await rounds(made, left)
    assert [one.exists() for one in (gone, empty)] == [False, False]
    assert [one.exists() for one in (attached, alive, foreign)] == [True, True, True]


async def test_a_boot_is_searched_once_and_an_unknown_one_never(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    used = UsedNetworks(tmp_path / "used")
    used.note(str(tmp_path / "networks" / "ours"))
    await rounds(made, search(made, tmp_path, used))
    later = keep(tmp_path, "ours", "10.1.0.2", "c9")
    await rounds(made, search(made, tmp_path, used))
    await rounds(made, search(made, tmp_path, used, boot=""))
    assert later.exists()
    await rounds(made, search(made, tmp_path, used, boot="the next"))
    assert not later.exists()


def test_the_record_is_read_by_the_next_process_and_is_bounded(tmp_path: Path) -> None:
    one = UsedNetworks(tmp_path / "used")
    one.note("/a/x")
    one.note("/a/y")
    assert UsedNetworks(tmp_path / "used").directories() == ("/a/x", "/a/y")
    (tmp_path / "used").write_text(str([f"/a/{n}" for n in range(5000)]).replace("'", '"'))
    many = UsedNetworks(tmp_path / "used")
    many.note("/a/new")
    assert len(many.directories()) == used_networks.MOST
    assert many.directories()[-1] == "/a/new"


def test_a_record_that_cannot_be_read_is_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "used").write_text("[nonsense")
    assert UsedNetworks(tmp_path / "used").directories() == ()
