"""Reading, writing and quarantining the files of the spool."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from cni.call import CniRequest
from cni.serving.protocol import BODY_LIMIT, HEAD_LIMIT, parse_request, split_request
from planes.model.errors import BadInput
from planes.model.wire.cniversion import Verb
from planes.run.files import read_regular, replace, set_aside, sync_directory

_QUARANTINE: Final = "quarantine"
_STALE_SECONDS: Final = 3600.0  # a shim writes its file in milliseconds
# Not written by a shim: a directory, a link, a FIFO, or a file too large to be a request.
_ODD: Final = frozenset({errno.EINVAL, errno.ELOOP, errno.EFBIG, errno.EISDIR, errno.ENXIO})


def read_spooled(path: Path) -> CniRequest:
    """Read a spooled DEL.

    Raises:
        BadInput: it is no DEL.
        OSError: it cannot be read.
    """
    try:
        data = read_regular(path, HEAD_LIMIT + BODY_LIMIT)
    except OSError as error:
        if error.errno not in _ODD:
            raise
        raise BadInput(f"cannot replay it: {error.strerror}") from error
    request = parse_request(*split_request(data))
    if request.verb is not Verb.DEL:
        raise BadInput(f"cannot replay {request.verb}: only DEL is ever spooled")
    return request


def put_spooled(path: Path, data: bytes) -> None:
    """Write the bytes of a DEL durably; make the directory where there is none.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace(path, data)
    sync_directory(path.parent.parent)


def quarantine(path: Path, reason: str) -> None:
    """Move a file to `quarantine/`, with the reason in a file beside it.

    Raises:
        OSError: it cannot be moved.
    """
    aside = path.parent / _QUARANTINE
    aside.mkdir(mode=0o700, exist_ok=True)
    (aside / f"{path.name}.reason").write_text(f"{reason}\n", encoding="utf-8")
    set_aside(path, aside)


def remove_if_stale(path: Path, now: float) -> None:
    """Remove a file that a killed shim left half-written."""
    with suppress(FileNotFoundError):
        if now - path.lstat().st_mtime <= _STALE_SECONDS:
            return
        try:
            path.unlink()
        except OSError:  # a directory
            with suppress(OSError):
                set_aside(path, path.parent / _QUARANTINE)


def changed_at(directory: Path) -> float:
    """Return when a file was last added or removed; 0 where there is no directory."""
    try:
        return os.stat(directory).st_mtime
    except FileNotFoundError:
        return 0.0
