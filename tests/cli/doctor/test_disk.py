"""File systems, judged by values, and one that is really written to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from planes.cli.doctor.diagnosis import CannotCheck
from planes.cli.doctor.facts.disk import Volume, read_volume, read_volumes
from planes.cli.doctor.judging.disk import judge_disk
from tests.cli.doctor.values import only, severities

GIB = 1 << 30


def volume(**more: object) -> Volume:
    """Return a file system with room."""
    facts = {"size": 100 * GIB, "free": 50 * GIB, "inodes": 1000, "inodes_free": 900}
    return Volume("/var/lib/netplane", **{**facts, **more})  # type: ignore[arg-type]  # by a test


def test_nothing_is_wrong_with_room_and_a_fast_disk() -> None:
    roomy = [volume(), volume(write_seconds=0.02), volume(inodes=0, inodes_free=0)]
    assert not list(judge_disk([*roomy, volume(free=GIB), volume(size=GIB, free=GIB // 10)]))


@pytest.mark.parametrize(
    ("facts", "severity", "text"),
    [
        ({"free": 400 << 20}, "warning", "400 MiB left"),
        ({"free": 1 << 20}, "error", "1 MiB left"),
        ({"inodes_free": 30}, "warning", "30 inodes left"),
        ({"inodes_free": 0}, "error", "0 inodes left"),
        ({"is_read_only": True}, "error", "is read-only"),
        ({"write_seconds": 0.8}, "warning", "took 0.8 s"),
        ({"write_seconds": 4.0}, "error", "took 4.0 s"),
        ({"fault": "No space left on device"}, "error", "could not be written: No space"),
    ],
)
def test_each_fault_of_a_file_system_is_found(
    facts: dict[str, object], severity: str, text: str
) -> None:
    found = only(judge_disk([volume(**facts)]))
    assert (found.severity, text in found.what) == (severity, True)


def test_what_only_root_may_write_is_not_checked_by_others() -> None:
    refused = volume(fault="Permission denied", is_refused=True, inodes_free=0)
    found = judge_disk([refused, volume(free=1 << 20)], is_root=False)
    assert ["inodes left" in next(found).what, "MiB left" in next(found).what] == [True, True]
    with pytest.raises(CannotCheck, match="/var/lib/netplane: Permission denied"):
        next(found)
    assert severities(judge_disk([refused])) == ["error", "error"]


def test_a_write_is_timed_and_leaves_nothing(tmp_path: Path) -> None:
    found = read_volume(str(tmp_path), writes=True)
    assert found is not None
    assert found.write_seconds is not None
    assert not os.listdir(tmp_path)


def test_what_cannot_be_written_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    found = read_volume(str(path), writes=True)
    assert found is not None
    assert found.fault == "Not a directory"


def test_directories_of_one_file_system_are_looked_at_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    found = read_volumes([str(tmp_path / "a"), str(tmp_path / "none")], str(tmp_path))
    assert [one.path for one in found] == [str(tmp_path)]
