"""Device information files: copied for plugins, read back, removed, never elsewhere."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cni.devices.info_files import DeviceInfoFiles

VF = "example.com/vfs"
TEXT = '{"type":"pci","version":"1.1.0","pci":{"pci-address":"0000:03:02.1"}}'
INFO = {"type": "pci", "version": "1.1.0", "pci": {"pci-address": "0000:03:02.1"}}


@pytest.fixture
def files(tmp_path: Path) -> DeviceInfoFiles:
    (tmp_path / "dp").mkdir()
    return DeviceInfoFiles(str(tmp_path))


def told(tmp_path: Path, name: str = "example.com-vfs-0000:03:02.1-device.json") -> Path:
    """Write what the device plugin says."""
    path = tmp_path / "dp" / name
    path.write_text(TEXT)
    return path


def test_names_are_those_of_multus(files: DeviceInfoFiles, tmp_path: Path) -> None:
    assert files.path("shop/own", "c1", "net1") == f"{tmp_path}/cni/shop-own-c1_net1"


def test_a_name_that_no_file_can_have_is_cut_and_still_unique(files: DeviceInfoFiles) -> None:
    names = [files.path("n" * 300, "c" * 64, ifname).rpartition("/")[2] for ifname in ("a", "b")]
    assert [len(name) for name in names] == [255, 255]
    assert names[0] != names[1]


def test_information_is_copied_for_everybody_to_read(
    files: DeviceInfoFiles, tmp_path: Path
) -> None:
    told(tmp_path)
    path = files.path("shop/own", "c1", "net1")
    files.copy(VF, "0000:03:02.1", path)
    assert Path(path).read_text() == TEXT
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o444
    assert files.read(path) == INFO
    files.remove(path)
    files.remove(path)
    assert files.read(path) is None
    assert os.listdir(tmp_path / "cni") == []


def test_what_an_earlier_attachment_left_is_not_taken_for_this_one(
    files: DeviceInfoFiles, tmp_path: Path
) -> None:
    told(tmp_path)
    path = files.path("shop/own", "c1", "net1")
    files.copy(VF, "0000:03:02.1", path)
    files.copy(VF, "another", path)
    assert not Path(path).exists()


def test_no_link_is_followed(files: DeviceInfoFiles, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(TEXT)
    (tmp_path / "dp" / "example.com-vfs-x-device.json").symlink_to(secret)
    path = files.path("shop/own", "c1", "net1")
    files.copy(VF, "x", path)
    assert not Path(path).exists()
    (tmp_path / "cni").mkdir()
    Path(path).symlink_to(secret)
    assert files.read(path) is None
    told(tmp_path)
    files.copy(VF, "0000:03:02.1", path)
    assert not Path(path).is_symlink()
    assert secret.read_text() == TEXT


@pytest.mark.parametrize("text", ["", "x", '{"type": 1}', " " * 20_000])
def test_what_is_no_information_is_absent(
    files: DeviceInfoFiles, tmp_path: Path, text: str
) -> None:
    told(tmp_path).write_text(text)
    path = files.path("shop/own", "c1", "net1")
    files.copy(VF, "0000:03:02.1", path)
    assert files.read(path) is None


def test_the_directory_is_looked_up_below_the_nodes_root(tmp_path: Path) -> None:
    """On most nodes /var/run is a link to /run, which must not be our own."""
    (tmp_path / "var").mkdir()
    (tmp_path / "var/run").symlink_to("/run")
    (tmp_path / "run/devinfo/dp").mkdir(parents=True)
    (tmp_path / "run/devinfo/dp/example.com-vfs-x-device.json").write_text(TEXT)
    files = DeviceInfoFiles("/var/run/devinfo", str(tmp_path))
    path = files.path("shop/own", "c1", "net1")
    assert path == "/var/run/devinfo/cni/shop-own-c1_net1"
    files.copy(VF, "x", path)
    assert (tmp_path / "run/devinfo/cni/shop-own-c1_net1").exists()
    assert files.read(path) == INFO
