"""A disk whose power can be cut: an ext4 file system in a file, mounted by a loop device.

What the file system has written to its device is in that file; what it still keeps in memory is
not. A copy of the file is therefore what a power cut at that moment would have left.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.node.netns import run

_MIB = 1 << 20
_SIZE = 24 * _MIB


class Disk:
    """One such disk.

    Args:
        folder: has the files of the disk.
        at: where it is mounted.
    """

    def __init__(self, folder: Path, at: Path) -> None:
        self._image = folder / "disk"
        self._at = at

    def make(self) -> None:
        """Make an empty disk and mount it."""
        with self._image.open("wb") as file:
            file.truncate(_SIZE)
        run("mkfs.ext4", "-q", "-F", str(self._image))
        self.mount()

    def mount(self) -> None:
        """Mount the disk."""
        run("mount", "-o", "loop", str(self._image), str(self._at))

    def unmount(self) -> None:
        """Unmount the disk, which writes everything to it."""
        run("umount", str(self._at))

    def cut_power(self) -> None:
        """Have the disk as it would be after a power cut now; nobody may be using it."""
        left = self._image.with_name("left")
        shutil.copyfile(self._image, left)
        self.unmount()
        left.replace(self._image)
        self.mount()


@contextmanager
def disk(folder: Path, at: Path) -> Iterator[Disk]:
    """Make a disk for a while."""
    made = Disk(folder, at)
    made.make()
    try:
        yield made
    finally:
        made.unmount()


def why_no_disk(folder: Path) -> str:
    """Return why there can be no such disk here; "" where there can."""
    if shutil.which("mkfs.ext4") is None:
        return "mkfs.ext4 is not installed"
    try:
        folder.mkdir(exist_ok=True)
        with disk(folder, folder):
            return ""
    except (OSError, subprocess.CalledProcessError, AssertionError) as error:
        return f"no ext4 on a loop device here: {error}"
