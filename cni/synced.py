"""Waiting for the first full state: whoever calls meanwhile waits in the shim."""

from __future__ import annotations

import logging
from typing import Final

from planes.run.clock import Clock
from planes.store.protocol import Store

_log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 0.01
_TELL_SECONDS: Final = 10.0


async def until_synced(store: Store, clock: Clock) -> None:
    """Wait until planes and pods were read, and tell now and then that they are not."""
    tell_after = clock.monotonic() + _TELL_SECONDS
    while not store.is_synced:
        await clock.sleep(_LOOK_SECONDS)
        if clock.monotonic() >= tell_after:
            _log.warning("planes and pods are not read yet: sandboxes wait")
            tell_after += _TELL_SECONDS
