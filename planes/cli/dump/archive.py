"""An archive that is written member by member: tar.gz, complete or not there at all.

Invariants: the same members give the same bytes; every name is a plain relative path; content and
count of members stay within bounds; the file has mode 0600 and appears in one step.
"""

from __future__ import annotations

import errno
import gzip
import os
import re
import secrets
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Final

from planes.model.errors import BadInput, Conflict, Internal, Unavailable
from planes.model.names import shown
from planes.run.files import why_not_replaced

MOST_MEMBERS: Final = 1000
RESERVED: Final = 256 << 10
"""Bytes that are kept for the last member, which says what is in the archive."""
_IN_MEMORY: Final = 1 << 20  # of the member that is being written
_PART: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """A member that was written: its size in bytes, its lines, and those it had no room for."""

    name: str
    size: int
    lines: int
    left_out: int


class Member:
    """A member that is being written, line by line."""

    def __init__(self, spool: IO[bytes], most: int) -> None:
        self._spool = spool
        self._most = most
        self.size = 0
        self.lines = 0
        self.left_out = 0

    def line(self, data: bytes) -> bool:
        """Write a line, whose line break is added; report whether there was room.

        Lines without room are counted, and no shorter one after them is written.
        """
        if self.left_out or self.size + len(data) + 1 > self._most:
            self.left_out += 1
            return False
        self._spool.write(data + b"\n")
        self.size += len(data) + 1
        self.lines += 1
        return True


class Archive:
    """Writes the members.

    Args:
        raw: the file.
        limit: bytes of all members together.
    """

    def __init__(self, raw: IO[bytes], directory: Path, limit: int) -> None:
        self._directory = directory
        self._left = limit
        self._gzip = gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0)
        self._tar = tarfile.open(  # noqa: SIM115 - `close` closes it
            fileobj=self._gzip, mode="w|", format=tarfile.PAX_FORMAT
        )
        self.members: list[MemberFacts] = []

    @property
    def left(self) -> int:
        """Return the bytes that the next member may have; none of `RESERVED`."""
        return max(0, self._left - RESERVED) if len(self.members) < MOST_MEMBERS else 0

    @contextmanager
    def member(self, name: str, most: int, *, is_last: bool = False) -> Iterator[Member]:
        """Write a member inside the block; one without lines is left out.

        Args:
            name: its path.
            most: bytes that it may have, also where there is more room.
            is_last: it may have the bytes that are reserved, too.
        """
        check_name(name)
        room = self._left if is_last else self.left
        with SpooledTemporaryFile(_IN_MEMORY, dir=str(self._directory)) as spool:
            made = Member(spool, min(most, room))
            try:
                yield made
            finally:
                if made.lines or made.left_out:
                    self._add(name, spool, made)

    def close(self) -> None:
        """Write the end of the archive."""
        self._tar.close()
        self._gzip.close()

    def _add(self, name: str, spool: IO[bytes], made: Member) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode, entry.mtime = made.size, 0o600, 0
        spool.seek(0)
        self._tar.addfile(entry, spool)
        self._left -= made.size
        self.members.append(MemberFacts(name, made.size, made.lines, made.left_out))


def check_name(name: str) -> str:
    """Return the name of a member: plain parts with slashes between.

    Raises:
        Internal: it is another; nobody else's text becomes a name unchecked.
    """
    if not all(_PART.fullmatch(part) for part in name.split("/")):
        raise Internal(f"cannot write a member {shown(name)}: that is no plain path")
    return name


@contextmanager
def new_archive(target: Path, *, limit: int, replaces: bool) -> Iterator[Archive]:
    """Make an archive inside the block; where the block raises, nothing is left of it.

    Args:
        target: the file.
        limit: bytes of all members together, before they are compressed.
        replaces: a file of that name is replaced.

    Raises:
        Conflict: there is such a file already.
        BadInput: its directory cannot be written to.
        Unavailable: it could not be written.
    """
    if not replaces and os.path.lexists(target):
        raise _exists(target)
    temporary = target.parent / f".netplane-dump-{secrets.token_hex(8)}.tmp"
    try:
        handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BadInput(
            f"cannot write {target}: {error.strerror}",
            remedy="give a file in a directory that you may write to, with -f",
        ) from error
    try:
        with open(handle, "wb") as raw:
            archive = Archive(raw, target.parent, limit)
            yield archive
            archive.close()
            raw.flush()
            os.fsync(raw.fileno())
        _put(temporary, target, replaces=replaces)
    except OSError as error:
        cause = error.strerror or error
        raise Unavailable(f"cannot write {target}: {cause}", remedy="make room on it") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def _put(temporary: Path, target: Path, *, replaces: bool) -> None:
    """Rename the complete file to its name in one step."""
    if replaces:
        if why := why_not_replaced(target):
            raise BadInput(f"cannot replace {target}: {why}", remedy="give another name")
        temporary.replace(target)
        return
    try:
        os.link(temporary, target)
    except FileExistsError as error:
        raise _exists(target) from error
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}:
            raise
        if os.path.lexists(target):  # a file system without links: a moment is left to others
            raise _exists(target) from error
        temporary.replace(target)


def _exists(target: Path) -> Conflict:
    return Conflict(
        f"cannot write {target}: there is such a file already",
        remedy="give another name with -f, or --force to replace it",
    )
