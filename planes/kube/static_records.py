"""Which static addresses this node's attachments may hold, on disk: DEL must not need the API.

Invariant: a record is there, durably, before the API server is asked for the address, and until
the API server has taken it back. It may name blocks where nothing is held; never miss one.
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
from planes.run.jobs import ended, start
from planes.store.files import read_regular, remove, replace, set_aside
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
    """What one attachment has to do with static blocks of a plane.

    Attributes:
        networks: the static blocks where it may be written down as a holder.
        addresses: what it was given; empty while that is being decided.
        is_leaving: it was released here, and the API server must still hear of it.
    """

    plane: str
    owner: AddressOwner
    networks: tuple[IPNetwork, ...]
    addresses: tuple[IPAddress, ...] = ()
    is_leaving: bool = False

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
        """Give all records as they are and will be, reading them the first time.

        Raises:
            Unavailable: the directory cannot be read.
        """
        if self._records is None:
            found = await self._in_thread(lambda: _read_all(self._directory))
            if self._records is None:  # nobody else was faster
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
            return await ended(start(work, self._executor))
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
    """Read a record; what is none is set aside, and must not keep the others from being read."""
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
        }
    )


def _decode(data: bytes) -> StaticRecord | None:
    """Read a record; None for what a power cut tore.

    What it held is then held by a dead pod, whose address the next who wants it takes over.
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
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, BadInput):
        return None
