"""One process at a time on a node's state."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from cni.host.state_lock import lock_state_dir
from planes.model.errors import Unavailable


def test_a_second_holder_is_refused_at_once_where_nobody_is_to_come(tmp_path: Path) -> None:
    held = lock_state_dir(tmp_path / "state")
    with pytest.raises(Unavailable, match="another daemon uses it"):
        lock_state_dir(tmp_path / "state")
    os.close(held)


def test_with_patience_the_one_before_may_end(tmp_path: Path) -> None:
    held = lock_state_dir(tmp_path)
    ending = threading.Timer(0.3, os.close, [held])
    begun = time.monotonic()
    ending.start()
    os.close(lock_state_dir(tmp_path, timeout=10))
    assert 0.2 < time.monotonic() - begun < 5
    ending.join()


def test_patience_ends(tmp_path: Path) -> None:
    held = lock_state_dir(tmp_path)
    with pytest.raises(Unavailable, match="another daemon uses it"):
        lock_state_dir(tmp_path, timeout=0.2)
    os.close(held)
