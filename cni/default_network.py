"""The default network: the first config of the CNI conf dir that is not ours.

Invariant: neither we nor Multus are ever taken for the cluster network, whatever the file is
called: what counts is the type inside; our own file never is, whatever is in it. A Multus file, set
aside or not, stands for the cluster network that Multus was set in front of. Followed by the files'
times, read when changed.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cni.completion import complete
from cni.conf_files import (
    FILE_NAME,
    Behind,
    behind,
    conf_files,
    is_ours,
    is_saved,
    read_conf,
    types_of,
)
from planes.model.errors import CniCode, JsonObject, NotFound, PlanesError, Unavailable
from planes.model.wire.netconf import ConfList, parse_conflist
from planes.run.clock import Clock

_log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.25

_Stamp = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was read.

    Attributes:
        stamp: the times of all files that counted.
        default: the default network.
        by_name: all networks.
        problems: files that were ignored, and why.
        followed: files elsewhere that counted.
    """

    stamp: _Stamp
    default: ConfList | None
    by_name: dict[str, ConfList]
    problems: tuple[str, ...]
    followed: tuple[Path, ...] = ()


class ConfDir:
    """The CNI conf dir, as it was a moment (`LOOK_SECONDS`) ago at most.

    Args:
        directory: looked at when somebody asks.
        clock: says when to look again: a burst of calls costs one look.
        root: the node's root directory as we see it, for files that Multus names.
    """

    def __init__(self, directory: Path, clock: Clock, root: str = "") -> None:
        self._directory = directory
        self._root = root
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

    async def has(self, name: str) -> bool:
        """Tell whether a config of the directory has that name, the default network's included."""
        return name in (await self._look()).by_name

    async def _look(self) -> _Seen:
        if self._seen.default is not None and self._clock.monotonic() < self._look_after:
            return self._seen
        loop = asyncio.get_running_loop()
        seen = await complete(
            loop.run_in_executor(None, look, self._directory, self._seen, self._root)
        )
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


def look(directory: Path, before: _Seen, root: str = "") -> _Seen:
    """Read the directory anew where a file came, went or changed; else give `before` again."""
    paths = [path for path in conf_files(directory, with_saved=True) if path.is_file()]
    stamp = _stamp([*paths, *before.followed])
    if stamp and stamp == before.stamp:
        return before
    reading = _Reading(root)
    for path in paths:
        try:
            reading.take(path)
        except PlanesError as error:
            reading.problems.append(str(error))
    followed = tuple(reading.followed)
    return _Seen(
        _stamp([*paths, *followed]),
        reading.by_name.get(reading.wanted) or reading.default,
        reading.by_name,
        tuple(reading.problems),
        followed,
    )


class _Reading:
    """One reading of the directory, file by file in their order.

    Attributes:
        wanted: the name of the default network, where a Multus file says no more than that.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self.default: ConfList | None = None
        self.wanted = ""
        self.by_name: dict[str, ConfList] = {}
        self.problems: list[str] = []
        self.followed: list[Path] = []

    def take(self, path: Path) -> None:
        """Read a file.

        Raises:
            PlanesError: it cannot be read, or says nothing sensible.
        """
        obj = read_conf(path)
        if any(is_ours(kind) for kind in types_of(obj)):
            self._take_behind(behind(obj, path, self._root))
        elif path.name != FILE_NAME and not is_saved(path):
            self._add(self._own(obj, path))

    def _take_behind(self, found: Behind) -> None:
        if found.path is not None:
            self.followed.append(found.path)
        if found.conflist is not None:
            self._add(found.conflist)
        elif self.default is None and not self.wanted:
            self.wanted = found.name

    def _add(self, found: ConfList) -> None:
        self.default = self.default or found
        self.by_name.setdefault(found.name, found)

    def _own(self, obj: JsonObject, path: Path) -> ConfList:
        is_list = path.suffix == ".conflist"
        conflist = parse_conflist(obj, what=f"the config file {path}", allow_empty=is_list)
        if not is_list or conflist.load_only_inlined_plugins:
            return conflist
        folder = path.parent / conflist.name
        more = sorted(folder.glob("*.conf"))
        self.followed += [folder, *more]
        return conflist.with_plugins([read_conf(one) for one in more])


def _stamp(paths: list[Path]) -> _Stamp:
    return tuple((str(path), *_times(path)) for path in paths)


def _times(path: Path) -> tuple[int, int, int]:
    try:
        facts = path.stat()
    except OSError:
        return 0, 0, 0
    return facts.st_mtime_ns, facts.st_size, facts.st_ino
