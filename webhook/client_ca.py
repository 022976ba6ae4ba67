"""The client CA: only peers with a certificate of it may send reviews (`--client-ca`).

Its file may be replaced at any time and is read again.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from certs.serving import RotatingContext
from planes.model.errors import BadInput
from planes.run.clock import Clock

_log = logging.getLogger(__name__)

_RELOAD_SECONDS: Final = 10.0
_MOST_BYTES: Final = 1 << 20


class ClientCA:
    """Makes the listener require client certificates issued by the CAs in a file."""

    def __init__(self, path: Path, context: RotatingContext, clock: Clock) -> None:
        self._path = path
        self._context = context
        self._clock = clock
        self._read: bytes | None = None

    def reload(self) -> None:
        """Read the file, and require certificates of its CAs where it has changed.

        Raises:
            BadInput: it cannot be read, or holds no CA; the CAs read before stay in force.
        """
        try:
            with self._path.open("rb") as file:
                found = file.read(_MOST_BYTES)
        except OSError as error:
            raise BadInput(
                f"cannot read --client-ca {self._path}: {error.strerror or error}",
                remedy="name a file with the certificate of the CA, in PEM",
            ) from error
        if found != self._read:
            self._context.require_client_ca(found)
            self._read = found
            _log.info("peers need a certificate", extra={"authorities": str(self._path)})

    async def run(self) -> None:
        """Read the file periodically, until cancelled."""
        while True:
            await self._clock.sleep(_RELOAD_SECONDS)
            try:
                self.reload()
            except BadInput as error:
                _log.warning("authorities of peers are as before", extra={"reason": str(error)})
