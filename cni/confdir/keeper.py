"""Keeps our conflist in the CNI conf dir, and watches for files that sort before it.

It has the default network's name and capabilities, so that a container runtime passes us the same
runtimeConfig, and finds results that it cached under either config.

Invariant: the file is whole or absent, and only `python -m cni uninstall` removes it: a pod must
never start without its planes because no daemon runs.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cni.confdir.default_network import ConfDir
from cni.confdir.files import FILE_NAME, conf_files
from cni.confdir.multus_aside import save_multus, set_multus_aside
from planes.model.errors import JsonObject, PlanesError
from planes.model.wire.cniversion import at_least
from planes.model.wire.netconf import ConfList
from planes.run.clock import Clock
from planes.run.files import replace
from planes.run.metrics import Metrics
from planes.run.shielded import shielded

_log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
# On a new node the runtime uses the default network's file as soon as it exists: until ours sorts
# before it, pods start without their planes.
FIRST_SECONDS: Final = 0.05
_TYPE: Final = "netplane"
_MODE: Final = 0o600
# With an older version a runtime would not tell results of several addresses apart.
_OLDEST: Final = "1.0.0"


@dataclass(frozen=True, slots=True)
class ConflistStatus:
    """The state of our file in the conf dir.

    Attributes:
        is_present: our file exists.
        before: names of foreign files that sort before ours, which a runtime uses instead.
        was_missing: our file was removed by somebody else.
    """

    is_present: bool
    before: tuple[str, ...] = ()
    was_missing: bool = False


def content(default: ConfList) -> bytes:
    """Return the bytes of our conflist for a default network."""
    version = default.cni_version
    plugin: JsonObject = {"type": _TYPE}
    capabilities = sorted(default.capabilities())
    if capabilities:
        plugin["capabilities"] = dict.fromkeys(capabilities, True)
    conflist: JsonObject = {
        "cniVersion": version if at_least(version, _OLDEST) else _OLDEST,
        "name": default.name,
        # The folder of the default network's name holds plugins of its chain, not of ours.
        "loadOnlyInlinedPlugins": True,
        **({"disableCheck": True} if default.disable_check else {}),
        **({"disableGC": True} if default.disable_gc else {}),
        "plugins": [plugin],
    }
    return (json.dumps(conflist, indent=2) + "\n").encode()


class ConflistKeeper:
    """Writes our file, rewrites it when the default network changes, and watches what sorts first.

    Args:
        directory: the CNI conf dir.
        conf_dir: reads the default network.
        replaces_multus: set Multus' own files aside, again whenever they come back.
    """

    def __init__(
        self,
        directory: Path,
        conf_dir: ConfDir,
        clock: Clock,
        metrics: Metrics,
        *,
        replaces_multus: bool,
    ) -> None:
        self._directory = directory
        self._conf_dir = conf_dir
        self._clock = clock
        self._replaces_multus = replaces_multus
        self._status: ConflistStatus | None = None
        self._fault = ""
        self._written = False
        shadowed = metrics.gauge(
            "config_shadowed", "1 while runtimes take another CNI config instead of ours"
        )
        shadowed.set_function(lambda: float(bool(self._status and self._status.before)))
        self._removals = metrics.counter("config_removals", "times our CNI config was taken away")

    def unready(self) -> str:
        """Return why pods may start without us; "" where nothing is wrong."""
        if self._fault:
            return self._fault
        if self._status is None or not self._status.is_present:
            return f"{FILE_NAME} is not written yet"
        if self._status.before:
            return f"{', '.join(self._status.before)} comes before {FILE_NAME}"
        return ""

    async def run(self) -> None:
        """Keep the file until cancelled; it is not removed then."""
        while True:
            await self.look()
            await self._clock.sleep(LOOK_SECONDS if self._written else FIRST_SECONDS)

    async def look(self) -> None:
        """Check the file once, and write it where it is missing or differs."""
        data: bytes | None = None
        fault = ""
        try:
            data = content(await self._conf_dir.default())
        except PlanesError as error:
            fault = str(error)  # the last file stays: pods rather fail than lack their planes
        loop = asyncio.get_running_loop()
        try:
            status = await shielded(loop.run_in_executor(None, self._keep, data))
        except OSError as error:
            fault = f"cannot write {self._directory / FILE_NAME}: {error.strerror or error}"
        else:
            self._report(status)
            self._status = status
        if fault and fault != self._fault:
            _log.error("CNI config is not right", extra={"reason": fault})
        self._fault = fault

    def _keep(self, data: bytes | None) -> ConflistStatus:
        ours = self._directory / FILE_NAME
        now = _read(ours)
        was_missing = self._written and now is None
        if data is not None and now != data:
            if self._replaces_multus:
                save_multus(self._directory)
            replace(ours, data, mode=_MODE)
            now = data
            _log.info("CNI config written", extra={"file": str(ours)})
        self._written = now is not None
        if now is not None and self._replaces_multus:
            set_multus_aside(self._directory)
        return ConflistStatus(now is not None, _before(self._directory), was_missing)

    def _report(self, status: ConflistStatus) -> None:
        if status.was_missing:
            self._removals.inc()
            _log.error(
                "somebody removed our CNI config: pods may have started without their planes",
                extra={"file": FILE_NAME},
            )
        known = self._status.before if self._status is not None else ()
        if status.before != known and status.before:
            _log.error(
                "pods start without their planes: another CNI config comes before ours",
                extra={"files": status.before, "ours": FILE_NAME},
            )
        elif status.before != known:
            _log.info("our CNI config is the first again", extra={"ours": FILE_NAME})


def _before(directory: Path) -> tuple[str, ...]:
    return tuple(path.name for path in conf_files(directory) if path.name < FILE_NAME)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
