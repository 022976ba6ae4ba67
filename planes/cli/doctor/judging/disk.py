"""File systems that are full, read-only or slow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from planes.cli.doctor.diagnosis import CannotCheck, Diagnosis, error, warning
from planes.cli.doctor.facts.disk import Volume

_LOW: Final = 0.05
_LOW_BYTES: Final = 512 << 20
"""A large file system has room with less than a twentieth, too."""
_FULL_BYTES: Final = 16 << 20
_FULL_INODES: Final = 0.01
_SLOW_SECONDS: Final = 0.5
_VERY_SLOW_SECONDS: Final = 3.0
_WHY: Final = "ADD writes its journal entry first: without it no pod starts"


def judge_disk(volumes: Iterable[Volume], *, is_root: bool = True) -> Iterator[Diagnosis]:
    """Yield what is wrong with file systems.

    Args:
        volumes: the file systems.
        is_root: whether we run as the daemon does, so that what is refused to us is to it.

    Raises:
        CannotCheck: we may not write where the daemon may.
    """
    refused = ""
    for one in volumes:
        if one.is_read_only:
            yield error(
                f"the file system of {one.path} is read-only",
                _WHY,
                f"dmesg | tail; then mount -o remount,rw $(findmnt -nT {one.path} -o TARGET)",
            )
            continue
        if one.is_refused and not is_root:
            refused = f"{one.path}: {one.fault}"
        elif one.fault:
            yield error(
                f"a file in {one.path} could not be written: {one.fault}",
                _WHY,
                f"df -h {one.path}; df -i {one.path}; dmesg | tail",
            )
        yield from _room(one)
        yield from _speed(one)
    if refused:
        raise CannotCheck(refused)


def _room(one: Volume) -> Iterator[Diagnosis]:
    look = f"du -xh {one.path} | sort -h | tail; crictl rmi --prune"
    if one.size and one.free < min(_LOW_BYTES, one.size * _LOW):
        make = error if one.free < min(_FULL_BYTES, one.size * 0.01) else warning
        text = f"the file system of {one.path} has {one.free >> 20} MiB left of {one.size >> 20}"
        yield make(text, _WHY, look)
    if one.inodes and one.inodes_free < one.inodes * _LOW:
        make = error if one.inodes_free < one.inodes * _FULL_INODES else warning
        text = f"the file system of {one.path} has {one.inodes_free} inodes left of {one.inodes}"
        yield make(text, _WHY, f"df -i {one.path}; du --inodes -x / | sort -n | tail")


def _speed(one: Volume) -> Iterator[Diagnosis]:
    seconds = one.write_seconds
    if seconds is not None and seconds >= _SLOW_SECONDS:
        make = error if seconds >= _VERY_SLOW_SECONDS else warning
        yield make(
            f"a durable write of 1 KiB in {one.path} took {seconds:.1f} s",
            "each ADD waits for two: pods start slowly, or not within the runtime's deadline",
            "iostat -x 1 5; put --state-dir on a faster disk",
        )
