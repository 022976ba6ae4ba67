"""The control groups of a run: one tree per node below one of the run, version 1 or 2."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")


def make(groups: str) -> None:
    """Make groups, such as `/run/node`, in every hierarchy."""
    for top in _hierarchies():
        group = top
        for name in groups.strip("/").split("/"):
            _hand_down(group)
            group /= name
            group.mkdir(exist_ok=True)
            # A cpuset takes no process until it has processors and memory (version 1).
            for file in ("cpuset.cpus", "cpuset.mems"):
                if (top / "tasks").exists() and (group / file).exists():
                    (group / file).write_text((group.parent / file).read_text())


def remove(groups: str, *, seconds: float = 10) -> None:
    """Remove the groups of a run or of a node, as soon as their last process is dead."""
    end = time.monotonic() + seconds
    while _left(groups) and time.monotonic() < end:
        time.sleep(0.1)


def _left(groups: str) -> list[str]:
    """Remove what is empty; return what is not."""
    left = []
    for top in _hierarchies():
        for path, _, _ in os.walk(top / groups.lstrip("/"), topdown=False):
            try:
                os.rmdir(path)
            except OSError:
                left.append(path)
    return left


def _hierarchies() -> list[Path]:
    if (_ROOT / "cgroup.controllers").exists():
        return [_ROOT]
    return [path for path in _ROOT.iterdir() if path.is_dir() and not path.is_symlink()]


def _hand_down(group: Path) -> None:
    """Let groups below use the controllers this one has (version 2)."""
    control = group / "cgroup.subtree_control"
    if control.exists():
        for controller in (group / "cgroup.controllers").read_text().split():
            with contextlib.suppress(OSError):
                control.write_text(f"+{controller}")
