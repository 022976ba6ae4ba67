"""Which directories are below the allowed ones, once links are resolved."""

from __future__ import annotations

from pathlib import Path

import pytest

from cni.host.data_dirs import DataDirs


@pytest.fixture
def dirs(tmp_path: Path) -> DataDirs:
    (tmp_path / "networks").mkdir()
    return DataDirs([str(tmp_path / "networks")])


@pytest.mark.parametrize("name", ["red", "red (deleted)", "red/below"])
def test_a_directory_below_is_found_by_its_name(dirs: DataDirs, tmp_path: Path, name: str) -> None:
    path = tmp_path / "networks" / name
    path.mkdir(parents=True)
    assert dirs.find(str(path)) == str(path)


def test_a_directory_that_is_not_there_yet_is_found(dirs: DataDirs, tmp_path: Path) -> None:
    path = tmp_path / "networks" / "later"
    assert dirs.find(str(path)) == str(path)


def test_a_link_counts_as_what_it_leads_to(dirs: DataDirs, tmp_path: Path) -> None:
    (tmp_path / "networks" / "out").symlink_to(tmp_path)
    (tmp_path / "in").symlink_to(tmp_path / "networks")
    assert dirs.find(str(tmp_path / "networks" / "out")) is None
    assert dirs.find(str(tmp_path / "in" / "red")) == str(tmp_path / "networks" / "red")


def test_a_root_of_another_process_leads_to_no_directory_outside(
    dirs: DataDirs, tmp_path: Path
) -> None:
    found = dirs.find(f"/proc/self/root{tmp_path}/networks")
    assert found == str(tmp_path / "networks")
    assert dirs.find(f"/proc/self/root{tmp_path}") is None
