"""The environment of a command that works on the node while no daemon runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from cni.environment import Environment, machine
from cni.settings import Settings
from planes.model.errors import NotFound

_log = logging.getLogger(__name__)
_CLOSE_SECONDS: Final = 30.0


@asynccontextmanager
async def command_environment(
    settings: Settings, env: Mapping[str, str]
) -> AsyncIterator[Environment]:
    """Yield the daemon's environment; without access to the cluster, one with an empty store.

    Raises:
        PlanesError: the API server's address or our credentials cannot be read.
    """
    with TemporaryDirectory(prefix="netplane-") as empty:
        try:
            environment = machine(settings, env)
        except NotFound as error:
            _log.warning("the API server is not told", extra={"reason": str(error)})
            environment = machine(replace(settings, standalone=Path(empty)), env)
        try:
            yield environment
        finally:
            await environment.close()
            await asyncio.to_thread(environment.kernel.close, _CLOSE_SECONDS)
