"""The default network: the first config of the CNI conf dir that is not ours.

Invariant: neither we nor Multus are ever taken for the cluster network, whatever the file is
called: what counts is the type inside. A Multus file stands for its delegate, which is the
cluster network that Multus was set in front of. Followed by the files' times, read when changed.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cni.completion import complete
from planes.model.decode import Fields, loads_object
from planes.model.errors import CniCode, JsonObject, NotFound, PlanesError, Unavailable
from planes.model.wire.cniversion import CURRENT
from planes.model.wire.netconf import ConfList, parse_conflist
from planes.run.clock import Clock

_log = logging.getLogger(__name__)

_SUFFIXES: Final = (".conf", ".conflist", ".json")
_OURS: Final = "netplane"
_PEER: Final = "multus"
_MAX_BYTES: Final = 4 << 20
LOOK_SECONDS: Final = 0.25

_Stamp = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class _Seen:
    stamp: _Stamp
    default: ConfList | None
    by_name: dict[str, ConfList]
    problems: tuple[str, ...]


class ConfDir:
    """The CNI conf dir, as it was a moment (`LOOK_SECONDS`) ago at most.

    Args:
        directory: looked at when somebody asks.
        clock: says when to look again: a burst of calls costs one look.
    """

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._seen = _Seen((), None, {}, ())
        self._look_after = 0.0

    async def default(self) -> ConfList:
        """Give the default network.

        Raises:
            Unavailable: there is none (code 50).
        """
        seen = await self._look()
        if seen.default is None:
            found = f": {'; '.join(seen.problems)}" if seen.problems else ""
            raise Unavailable(
                f"cannot find a default network in {self._directory}{found}",
                remedy='put the cluster network\'s config there, or set "delegate" in the netconf',
                code=CniCode.NOT_AVAILABLE,
            )
        return seen.default

    async def named(self, name: str) -> ConfList:
        """Give the config of that name, for a NAD without one of its own.

        Raises:
            NotFound: no readable file of the directory has that name.
        """
        seen = await self._look()
        if name not in seen.by_name:
            raise NotFound(
                f'cannot find a network config with name "{name}" in {self._directory}',
                remedy="fill spec.config of the NAD or add the file on the node",
            )
        return seen.by_name[name]

    async def _look(self) -> _Seen:
        if self._seen.default is not None and self._clock.monotonic() < self._look_after:
            return self._seen
        loop = asyncio.get_running_loop()
        seen = await complete(loop.run_in_executor(None, look, self._directory, self._seen))
        if seen is not self._seen:
            self._tell(seen)
            self._seen = seen
        self._look_after = self._clock.monotonic() + LOOK_SECONDS
        return seen

    def _tell(self, seen: _Seen) -> None:
        for problem in seen.problems:
            _log.warning("config ignored", extra={"problem": problem})
        before = self._seen.default.name if self._seen.default else ""
        now = seen.default.name if seen.default else ""
        if before != now:
            _log.info("default network", extra={"network": now, "before": before})


def look(directory: Path, before: _Seen) -> _Seen:
    """Read the directory anew where a file came, went or changed; else give `before` again."""
    paths = _files(directory)
    stamp = tuple((path.name, *_times(path)) for path in paths)
    if stamp and stamp == before.stamp:
        return before
    default: ConfList | None = None
    by_name: dict[str, ConfList] = {}
    problems: list[str] = []
    for path in paths:
        try:
            found = _read(path)
        except PlanesError as error:
            problems.append(str(error))
            continue
        if found is None:
            continue
        default = default or found
        by_name.setdefault(found.name, found)
    return _Seen(stamp, default, by_name, tuple(problems))


def _files(directory: Path) -> list[Path]:
    try:
        return sorted(
            path for path in directory.iterdir() if path.suffix in _SUFFIXES and path.is_file()
        )
    except OSError:
        return []


def _times(path: Path) -> tuple[int, int, int]:
    try:
        facts = path.stat()
    except OSError:
        return 0, 0, 0
    return facts.st_mtime_ns, facts.st_size, facts.st_ino


def _read(path: Path) -> ConfList | None:
    """Read one file; None where it is ours or stands for nothing."""
    what = f"the config file {path}"
    try:
        with path.open("rb") as stream:
            obj = loads_object(stream.read(_MAX_BYTES), what)
    except OSError as error:
        raise NotFound(f"cannot read {what}: {error.strerror or error}") from error
    types = _types(obj)
    if any(is_ours(kind) for kind in types):
        return _behind(obj, path)
    conflist = parse_conflist(obj, what=what, allow_empty=path.suffix == ".conflist")
    if path.suffix != ".conflist" or conflist.load_only_inlined_plugins:
        return conflist
    more = [_folder_plugin(one) for one in sorted((path.parent / conflist.name).glob("*.conf"))]
    return conflist.with_plugins(more)


def _folder_plugin(path: Path) -> JsonObject:
    return loads_object(path.read_bytes(), f"the config file {path}")


def is_ours(kind: str) -> bool:
    """Tell whether a plugin type would bring a call back to us, or to Multus."""
    return kind == _OURS or kind.startswith(_PEER)


def _types(obj: JsonObject) -> list[str]:
    fields = Fields(obj, "the config file")
    listed = [plugin.get("type") for plugin in fields.objects("plugins")]
    return [kind for kind in (obj.get("type"), *listed) if isinstance(kind, str)]


def _behind(obj: JsonObject, path: Path) -> ConfList | None:
    """Give the network that a Multus file was set in front of; None for a file of ours."""
    plugins = Fields(obj, "the config file").objects("plugins")
    for conf in (obj, *plugins):
        kind = conf.get("type")
        if not isinstance(kind, str) or not kind.startswith(_PEER):
            continue
        fields = Fields(conf, f"the config file {path}")
        delegates = fields.objects("delegates")
        if delegates:
            version = delegates[0].get("cniVersion") or conf.get("cniVersion") or CURRENT
            first = {"cniVersion": version, **delegates[0]}
            if any(is_ours(type_) for type_ in _types(first)):
                return None
            return parse_conflist(first, what=f"the delegate in {path}")
        return _cluster_network(fields.string("clusterNetwork"), path)
    return None


def _cluster_network(name: str, path: Path) -> ConfList | None:
    """Follow `clusterNetwork` where it is a file; a name is found among the other files anyway."""
    target = Path(name)
    if not target.is_absolute() or target == path:
        return None
    for candidate in (target, path.parent / target.name):
        # The path may be the one inside Multus' own container: its name says which file is meant.
        if candidate.is_file() and candidate != path:
            obj = loads_object(candidate.read_bytes(), f"the config file {candidate}")
            if not any(is_ours(kind) for kind in _types(obj)):
                return parse_conflist(obj, what=f"the config file {candidate}")
    return None
