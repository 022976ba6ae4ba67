"""Waits for the store's first sync, before the socket is opened: calls wait in the shim."""

from __future__ import annotations

import logging
from typing import Final

from planes.run.clock import Clock
from planes.store.protocol import Store

_log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 0.01
_LOG_SECONDS: Final = 10.0


async def until_synced(store: Store, clock: Clock) -> None:
    """Wait until planes and pods were read; log now and then that they are not."""
    log_after = clock.monotonic() + _LOG_SECONDS
    while not store.is_synced:
        await clock.sleep(_LOOK_SECONDS)
        if clock.monotonic() >= log_after:
            _log.warning("planes and pods are not read yet: sandboxes wait")
            log_after += _LOG_SECONDS
