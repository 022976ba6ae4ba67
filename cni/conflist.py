"""Our own file in the CNI conf dir, and what stands before it.

It goes by the default network's name and declares what that network declares, so a runtime passes
us what it would pass there, and finds the results it cached before us or after us. Invariant: the
file is whole or absent, and nothing but `python -m cni uninstall` removes it: a pod must never
start without its planes because the daemon is away.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cni.completion import complete
from cni.conf_files import FILE_NAME, SAVED, conf_files, is_peer, is_saved, read_conf, types_of
from cni.default_network import ConfDir
from planes.model.errors import JsonObject, PlanesError
from planes.model.wire.cniversion import at_least
from planes.model.wire.netconf import ConfList
from planes.run.clock import Clock
from planes.run.metrics import Metrics
from planes.store.files import replace, sync_directory

_log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
# On a new node the runtime takes the default network's file as soon as it is there: until ours is
# in front of it, pods start without their planes.
FIRST_SECONDS: Final = 0.05
_TYPE: Final = "netplane"
_MODE: Final = 0o600
# With an older version a runtime would not tell results of several addresses apart.
_OLDEST: Final = "1.0.0"


@dataclass(frozen=True, slots=True)
class Place:
    """What a look at the conf dir found.

    Attributes:
        is_there: our file is in place.
        before: names of foreign files that a runtime takes instead of ours.
        was_missing: our file had been there, and somebody took it away.
    """

    is_there: bool
    before: tuple[str, ...] = ()
    was_missing: bool = False


def content(default: ConfList) -> bytes:
    """Give our file's bytes in front of a default network."""
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
    """Writes our file, follows the default network with it, and watches what stands before it.

    Args:
        directory: the CNI conf dir.
        conf_dir: finds the default network in it.
        clock: for the pauses between two looks.
        metrics: shows what is wrong.
        replaces_multus: set Multus' own files aside, again when they come back.
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
        self._place: Place | None = None
        self._fault = ""
        self._written = False
        shadowed = metrics.gauge(
            "config_shadowed", "1 while runtimes take another CNI config instead of ours"
        )
        shadowed.set_function(lambda: float(bool(self._place and self._place.before)))
        self._removals = metrics.counter("config_removals", "times our CNI config was taken away")

    def unready(self) -> str:
        """Give why pods may start without us; "" where nothing is wrong."""
        if self._fault:
            return self._fault
        if self._place is None or not self._place.is_there:
            return f"{FILE_NAME} is not written yet"
        if self._place.before:
            return f"{', '.join(self._place.before)} comes before {FILE_NAME}"
        return ""

    async def run(self) -> None:
        """Keep the file until cancelled; it stays."""
        while True:
            await self.look()
            await self._clock.sleep(LOOK_SECONDS if self._written else FIRST_SECONDS)

    async def look(self) -> None:
        """Look once, and mend what is wrong."""
        data: bytes | None = None
        fault = ""
        try:
            data = content(await self._conf_dir.default())
        except PlanesError as error:
            fault = str(error)  # what we wrote for the last one stays: pods fail rather than lack
        loop = asyncio.get_running_loop()
        try:
            place = await complete(loop.run_in_executor(None, self._keep, data))
        except OSError as error:
            fault = f"cannot write {self._directory / FILE_NAME}: {error.strerror or error}"
        else:
            self._tell(place)
            self._place = place
        if fault and fault != self._fault:
            _log.error("CNI config is not right", extra={"reason": fault})
        self._fault = fault

    def _keep(self, data: bytes | None) -> Place:
        ours = self._directory / FILE_NAME
        now = _read(ours)
        was_missing = self._written and now is None
        if data is not None and now != data:
            replace(ours, data, mode=_MODE)
            now = data
            _log.info("CNI config written", extra={"file": str(ours)})
        self._written = now is not None
        if now is not None and self._replaces_multus:
            set_multus_aside(self._directory)
        return Place(now is not None, _before(self._directory), was_missing)

    def _tell(self, place: Place) -> None:
        if place.was_missing:
            self._removals.inc()
            _log.error(
                "somebody removed our CNI config: pods may have started without their planes",
                extra={"file": FILE_NAME},
            )
        known = self._place.before if self._place is not None else ()
        if place.before != known and place.before:
            _log.error(
                "pods start without their planes: another CNI config comes before ours",
                extra={"files": place.before, "ours": FILE_NAME},
            )
        elif place.before != known:
            _log.info("our CNI config is the first again", extra={"ours": FILE_NAME})


def set_multus_aside(directory: Path) -> None:
    """Rename Multus' own files so that no runtime takes them; the network they name stays known.

    One that was written while ours was first names us as its cluster network: it says nothing that
    an earlier one did not say better, and that one is kept.

    Raises:
        OSError: a file cannot be renamed.
    """
    for path in conf_files(directory):
        obj = _parsed(path)
        if obj is None or not any(is_peer(kind) for kind in types_of(obj)):
            continue
        saved = path.with_name(path.name + SAVED)
        if saved.exists() and leads_to_us(obj):
            path.unlink()
        else:
            path.rename(saved)
        sync_directory(directory)
        _log.warning("Multus' CNI config set aside", extra={"file": path.name, "saved": saved.name})


def restore_multus(directory: Path) -> tuple[str, ...]:
    """Put back what was set aside; the names that are in force again.

    A file that Multus wrote anew since is newer and stays. One that names us would lead nowhere.

    Raises:
        OSError: a file cannot be renamed.
    """
    restored = []
    for saved in [path for path in conf_files(directory, with_saved=True) if is_saved(path)]:
        path = saved.with_name(saved.name.removesuffix(SAVED))
        if leads_to_us(_parsed(saved) or {}):
            _log.warning("Multus' CNI config names us: restart Multus", extra={"file": path.name})
            saved.unlink()
        elif leads_to_us(_parsed(path) or {}) or not path.exists():
            saved.rename(path)
            restored.append(path.name)
        else:
            saved.unlink()
    if restored:
        sync_directory(directory)
    return tuple(restored)


def leads_to_us(obj: JsonObject) -> bool:
    """Tell whether a Multus file's cluster network is our own file."""
    for conf in (obj, *_plugins(obj)):
        delegates = conf.get("delegates")
        if isinstance(delegates, list) and delegates and isinstance(delegates[0], dict):
            return _TYPE in types_of(delegates[0])
        network = conf.get("clusterNetwork")
        if isinstance(network, str):
            return Path(network).name == FILE_NAME
    return False


def _plugins(obj: JsonObject) -> list[Mapping[str, object]]:
    plugins = obj.get("plugins")
    return [one for one in plugins if isinstance(one, dict)] if isinstance(plugins, list) else []


def _before(directory: Path) -> tuple[str, ...]:
    return tuple(path.name for path in conf_files(directory) if path.name < FILE_NAME)


def _parsed(path: Path) -> JsonObject | None:
    try:
        return read_conf(path)
    except PlanesError:
        return None


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
