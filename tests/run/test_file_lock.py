"""A lock between processes: waited for a while, never followed through a link or into a FIFO."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from planes.run.backoff import Backoff
from planes.run.file_lock import open_lock, wait_for_lock

_PAUSES = (0.01, 0.01)


def test_a_lock_is_had_once_and_again_when_its_holder_has_closed_it(tmp_path: Path) -> None:
    held, other = open_lock(tmp_path / "lock"), open_lock(tmp_path / "lock")
    left: list[float] = []
    try:
        wait_for_lock(held, 0.0, Backoff(*_PAUSES))
        with pytest.raises(BlockingIOError):
            wait_for_lock(other, 0.5, Backoff(*_PAUSES), left.append)
        assert left == sorted(left, reverse=True)
        assert 0 < left[-1] < left[0] <= 0.5

        closing = threading.Timer(0.05, os.close, (held,))
        closing.start()
        wait_for_lock(other, 10.0, Backoff(*_PAUSES))
        closing.join()
    finally:
        os.close(other)


def test_its_file_is_made_below_a_directory_with_the_mode_given(tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_RDONLY)
    try:
        os.close(open_lock("lock", directory=directory, mode=0o640, access=os.O_RDONLY))
    finally:
        os.close(directory)

    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("what", ["link", "fifo"])
def test_nothing_but_a_regular_file_is_opened(tmp_path: Path, what: str) -> None:
    path = tmp_path / "lock"
    path.symlink_to(tmp_path / "elsewhere") if what == "link" else os.mkfifo(path)

    with pytest.raises(OSError, match=r"lock") as raised:
        open_lock(path)

    assert raised.value.errno == (errno.ELOOP if what == "link" else errno.EINVAL)
    assert not (tmp_path / "elsewhere").exists()
