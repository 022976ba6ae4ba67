"""Static addresses that this node's attachments may hold, on disk: a DEL must not need the API.

Invariant: a record is durable before the address is claimed in the API server, and stays until the
holder was removed there. It may name blocks where nothing is held; it never misses one.
"""

from __future__ import annotations

import errno
import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson

from planes.model.addresses import IPAddress, IPNetwork, parse_address, parse_network
from planes.model.errors import BadInput, Unavailable
from planes.run.files import read_regular, remove, replace, set_aside
from planes.run.jobs import start
from planes.run.shielded import shielded
from planes.store.protocol import AddressOwner

T = TypeVar("T")
Key = tuple[str, str, str]

_log = logging.getLogger(__name__)

_SUFFIX: Final = ".json"
_ASIDE: Final = "damaged"
_LARGEST: Final = 256 << 10
_ODD: Final = frozenset({errno.EINVAL, errno.ELOOP, errno.EFBIG, errno.EISDIR, errno.ENXIO})


@dataclass(frozen=True, slots=True)
class StaticRecord:
    """One attachment and the static blocks of a plane in which it may be a holder.

    Attributes:
        networks: these static blocks.
        addresses: those it was given; empty while a claim runs.
        is_leaving: it was released here, and is still to be removed from the API server.
        is_borrowed: the addresses are of blocks that lend them.
        cooldown_seconds: for so long borrowed addresses rest before they are removed there.
        rests_until: end of that, in seconds since 1970.
        is_unsure: a request of its claim may still arrive: once removed it is looked at again.
    """

    plane: str
    owner: AddressOwner
    networks: tuple[IPNetwork, ...]
    addresses: tuple[IPAddress, ...] = ()
    is_leaving: bool = False
    is_borrowed: bool = False
    cooldown_seconds: float = 0.0
    rests_until: float = 0.0
    is_unsure: bool = False

    def left(self, now: float) -> float:
        """Return for how many seconds it still rests; 0 where it does not."""
        left = self.rests_until - now
        # More than the cooldown: the clock was set back.
        return left if self.is_leaving and 0 < left <= self.cooldown_seconds else 0.0

    @property
    def key(self) -> Key:
        """Plane and attachment."""
        return self.plane, self.owner.container_id, self.owner.interface


class StaticRecords:
    """Records in a directory of this node, and in memory once `load` was called.

    Args:
        directory: made on first use.
        executor: where files are written; None = the event loop's own threads.
    """

    def __init__(self, directory: Path, executor: Executor | None = None) -> None:
        self._directory = directory
        self._executor = executor
        self._records: dict[Key, StaticRecord] | None = None

    async def load(self) -> Mapping[Key, StaticRecord]:
        """Return all records, a live mapping; they are read the first time.

        Raises:
            Unavailable: the directory cannot be read.
        """
        if self._records is None:
            found = await self._in_thread(lambda: _read_all(self._directory))
            if self._records is None:  # no other call was faster
                self._records = {record.key: record for record in found}
        return self._records

    async def put(self, record: StaticRecord) -> None:
        """Write a record; durable when it returns.

        Raises:
            Unavailable: it could not be written; the old one stands.
        """
        await self.load()
        path, data = self._path(record.key), _encode(record)
        await self._in_thread(lambda: replace(path, data))
        if self._records is not None:
            self._records[record.key] = record

    async def forget(self, key: Key) -> None:
        """Remove a record; none there is fine.

        Raises:
            Unavailable: it could not be removed.
        """
        path = self._path(key)
        await self._in_thread(lambda: remove(path))
        if self._records is not None:
            self._records.pop(key, None)

    def _path(self, key: Key) -> Path:
        digest = hashlib.sha256("\n".join(key).encode()).hexdigest()[:40]
        return self._directory / f"{digest}{_SUFFIX}"

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            return await shielded(start(work, self._executor))
        except OSError as error:
            raise Unavailable(
                f"cannot keep records of static addresses in {self._directory}: {error.strerror}",
                remedy="look at free space and permissions of that directory",
            ) from error


def _read_all(directory: Path) -> Iterable[StaticRecord]:
    if not directory.is_dir():
        return ()
    found = [_read(path) for path in directory.glob(f"*{_SUFFIX}")]
    return [record for record in found if record is not None]


def _read(path: Path) -> StaticRecord | None:
    """Read a record; a damaged one is set aside, so that the others can be read."""
    try:
        record = _decode(read_regular(path, _LARGEST))
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno not in _ODD:
            raise
        record = None
    if record is None:
        kept = set_aside(path, path.parent / _ASIDE)
        _log.error("record of static addresses is damaged", extra={"file": str(kept)})
    return record


def _encode(record: StaticRecord) -> bytes:
    return orjson.dumps(
        {
            "plane": record.plane,
            "owner": asdict(record.owner),
            "networks": [str(network) for network in record.networks],
            "addresses": [str(address) for address in record.addresses],
            "isLeaving": record.is_leaving,
            "isBorrowed": record.is_borrowed,
            "cooldownSeconds": record.cooldown_seconds,
            "restsUntil": record.rests_until,
            "isUnsure": record.is_unsure,
        }
    )


def _decode(data: bytes) -> StaticRecord | None:
    """Decode a record; None for one that a power cut damaged.

    Its addresses then have a holder whose pod is gone; the next claim takes them over.
    """
    try:
        record: Any = orjson.loads(data)
        owner = AddressOwner(**record["owner"])
        if not all(isinstance(text, str) for text in astuple(owner)):
            return None
        return StaticRecord(
            plane=str(record["plane"]),
            owner=owner,
            networks=tuple(parse_network(text) for text in record["networks"]),
            addresses=tuple(parse_address(text) for text in record["addresses"]),
            is_leaving=bool(record["isLeaving"]),
            is_borrowed=bool(record.get("isBorrowed")),
            cooldown_seconds=float(record.get("cooldownSeconds") or 0),
            rests_until=float(record.get("restsUntil") or 0),
            is_unsure=bool(record.get("isUnsure")),
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError, BadInput):
        return None
