"""The directories in which our host-local has kept addresses, recorded before the first is kept.

A power cut may leave an address file on the disk and take the journal entry that would release it.
Only these directories are searched for such files afterwards: others have none of ours. Everything
here blocks.

Invariant: a directory is on the disk, synced, before `note` returns.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Final

from cni.host.unwritable import unwritable
from planes.model.decode import loads
from planes.model.errors import PlanesError
from planes.run.files import read_regular, replace

MOST: Final = 4096
"""Most directories; of more the oldest is forgotten. A tenant may name ever new networks."""
USED_NETWORKS: Final = "host-local-networks"
"""The file in the state directory."""
_LARGEST: Final = 32 << 20  # bytes: so many paths


class UsedNetworks:
    """The record, in one file.

    Args:
        path: the file; its directory need not be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._known: dict[str, None] | None = None

    def has(self, directory: str) -> bool:
        """Report whether a directory is known to be recorded; never blocks."""
        return self._known is not None and directory in self._known

    def note(self, directory: str) -> None:
        """Record a directory; costs nothing where it is recorded.

        Raises:
            Internal: it cannot be written.
        """
        if self.has(directory):
            return
        with self._guard:
            known = self._read()
            if directory in known:
                return
            grown = {**known, directory: None}
            while len(grown) > MOST:
                del grown[next(iter(grown))]
            self._write(grown)
            self._known = grown

    def directories(self) -> tuple[str, ...]:
        """Return the directories, oldest first; none where the file cannot be read."""
        with self._guard:
            return tuple(self._read())

    def _read(self) -> dict[str, None]:
        if self._known is None:
            try:
                found = loads(read_regular(self._path, _LARGEST), str(self._path))
            except (OSError, PlanesError):
                found = []
            listed = found if isinstance(found, list) else []
            self._known = {one: None for one in listed if isinstance(one, str)}
        return self._known

    def _write(self, known: dict[str, None]) -> None:
        try:
            replace(self._path, json.dumps(list(known)).encode())
        except OSError as error:
            raise unwritable("a directory of addresses", self._path, error) from error
