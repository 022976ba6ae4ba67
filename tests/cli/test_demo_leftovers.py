"""What a killed demo left is removed by the next one, and nothing of a demo that lives."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from planes.cli.demo.leftovers import FOLDER_PREFIX, DemoFolder, clear_folders, lock_folder


def test_the_folder_of_a_demo_that_lives_is_kept(tmp_path: Path) -> None:
    living = DemoFolder(tmp_path)
    (living.path / "manifests").mkdir()
    clear_folders(tmp_path)
    assert (living.path / "manifests").is_dir()
    living.remove()
    assert not living.path.exists()


def test_the_folder_of_a_demo_that_was_killed_is_removed(tmp_path: Path) -> None:
    child = os.fork()
    if not child:
        (DemoFolder(tmp_path).path / "manifests").mkdir()
        os._exit(0)
    os.waitpid(child, 0)
    assert len(list(tmp_path.glob(f"{FOLDER_PREFIX}*"))) == 1
    clear_folders(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_outlives_its_demo_does_not_keep_the_folder(tmp_path: Path) -> None:
    """A daemon that the demo started, after a SIGKILL of the demo alone."""
    living = DemoFolder(tmp_path)
    numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    held = [n for n in numbers if _target(n) == str(living.path)]
    assert [os.get_inheritable(number) for number in held] == [False]
    living.remove()


def _target(number: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{number}")
    except FileNotFoundError:  # that of the listing
        return ""


def test_a_folder_that_is_removed_before_it_is_locked_is_no_demo_s(tmp_path: Path) -> None:
    """Another demo that clears up at that moment finds it without a lock."""
    made = tmp_path / f"{FOLDER_PREFIX}x"
    made.mkdir()
    clear_folders(tmp_path)
    assert lock_folder(made) is None


def test_a_link_of_that_name_is_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    (tmp_path / f"{FOLDER_PREFIX}link").symlink_to(kept)
    clear_folders(tmp_path)
    assert (kept / "file").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder away: needs root")
def test_a_folder_that_another_user_made_is_left_alone(tmp_path: Path) -> None:
    """Else anybody could name namespaces that the demo, as root, removes."""
    theirs = tmp_path / f"{FOLDER_PREFIX}theirs"
    theirs.mkdir()
    os.chown(theirs, 65534, 65534)
    clear_folders(tmp_path)
    assert theirs.is_dir()
