"""Addresses of a block of this node that others may hold, on disk.

They were held when the node took the block, or the node has lent them since. No other address of
the block can be claimed by anybody else. So after a restart only addresses in the record are left
out, and an entry written since takes nothing from the block. Without a record, addresses that are
held now are left out, as at the first time.

Invariant: what was lent is in the record, durably, before the node asks for it back.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson

from planes.model.addresses import IPAddress, parse_address
from planes.model.errors import BadInput, Unavailable
from planes.run.files import file_name, read_regular, remove, replace
from planes.run.jobs import start
from planes.run.shielded import shielded

T = TypeVar("T")

_LARGEST: Final = 256 << 10
"""The widest block has 1024 addresses of up to 39 characters."""
_NO_RECORD: Final = frozenset({errno.EINVAL, errno.ELOOP, errno.EFBIG, errno.EISDIR, errno.ENXIO})


class KeptRecords:
    """Records in a directory of this node, made on first use.

    Args:
        directory: nothing else is in it.
        executor: where files are read and written; None = the event loop's own threads.
    """

    def __init__(self, directory: Path, executor: Executor | None = None) -> None:
        self._directory = directory
        self._executor = executor

    async def still_held(
        self, block: str, uid: str, held: Iterable[IPAddress]
    ) -> frozenset[IPAddress]:
        """Return which of the addresses held now were held always, and record them.

        Args:
            block: the block's name.
            uid: of the object; one with another UID was taken anew.
            held: the static addresses in it that are held now.

        Raises:
            Unavailable: the record cannot be read or written.
        """
        path, now = self._path(block), frozenset(held)
        return await self._in_thread(lambda: _settle(path, uid, now))

    async def expect(
        self, block: str, uid: str, held: Iterable[IPAddress], *, is_durable: bool = True
    ) -> None:
        """Record which addresses others may hold.

        Args:
            block: the block's name.
            uid: of the object.
            held: all of them.
            is_durable: whether the record must survive a power cut: an older one may have fewer.

        Raises:
            Unavailable: the record cannot be written.
        """
        path, data = self._path(block), _encoded(uid, held)
        await self._in_thread(lambda: replace(path, data, is_durable=is_durable))

    async def forget(self, block: str) -> None:
        """Remove the record of a block that is not this node's any more.

        Raises:
            Unavailable: it cannot be removed.
        """
        path = self._path(block)
        await self._in_thread(lambda: remove(path))

    def _path(self, block: str) -> Path:
        return self._directory / f"{file_name(block)}.json"

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            return await shielded(start(work, self._executor))
        except OSError as error:
            raise Unavailable(
                f"cannot keep records of blocks in {self._directory}: {error.strerror}",
                remedy="look at free space and permissions of that directory",
            ) from error


def _settle(path: Path, uid: str, now: frozenset[IPAddress]) -> frozenset[IPAddress]:
    before = _read(path, uid)
    kept = now if before is None else now & before
    if kept != before:
        # A record lost in a power cut is read from the API server again.
        replace(path, _encoded(uid, kept), is_durable=False)
    return kept


def _encoded(uid: str, held: Iterable[IPAddress]) -> bytes:
    return orjson.dumps({"uid": uid, "held": sorted(map(str, held))})


def _read(path: Path, uid: str) -> frozenset[IPAddress] | None:
    """Read which were held; None where there is no record of the block with this UID."""
    try:
        record: Any = orjson.loads(read_regular(path, _LARGEST))
        if record["uid"] != uid or not uid:
            return None
        return frozenset(parse_address(text) for text in record["held"])
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno not in _NO_RECORD:
            raise
        return None
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, BadInput):
        return None
