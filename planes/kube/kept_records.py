"""Which static addresses were held in a block of this node when it took the block, on disk.

From then on nobody takes another static address of what the block hands out. So at a later start
only those count that were held then, and an entry that somebody wrote since takes nothing away.
Without a record, what is held now counts, as at the first time.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Final

import orjson

from planes.model.addresses import IPAddress, parse_address
from planes.model.errors import BadInput, Unavailable
from planes.run.jobs import ended, start
from planes.store.files import file_name, read_regular, replace

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
        """Give what of the addresses held now was held always, and note that down.

        Args:
            block: the block's name.
            uid: of the object: another one under its name was taken anew.
            held: the static addresses in it that somebody holds now.

        Raises:
            Unavailable: the record cannot be read or written.
        """
        path, now = self._directory / f"{file_name(block)}.json", frozenset(held)
        try:
            return await ended(start(lambda: _settle(path, uid, now), self._executor))
        except OSError as error:
            raise Unavailable(
                f"cannot keep records of blocks in {self._directory}: {error.strerror}",
                remedy="look at free space and permissions of that directory",
            ) from error


def _settle(path: Path, uid: str, now: frozenset[IPAddress]) -> frozenset[IPAddress]:
    before = _read(path, uid)
    kept = now if before is None else now & before
    if kept != before:
        data = orjson.dumps({"uid": uid, "held": sorted(map(str, kept))})
        # What a power cut loses is read from the API server again.
        replace(path, data, is_durable=False)
    return kept


def _read(path: Path, uid: str) -> frozenset[IPAddress] | None:
    """Read what was held; None where there is no record of this very block."""
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
