"""Reads a CNI conf dir: its networks by name, the default network, and Multus' settings.

A config of `loopback` alone is no default network: container runtimes keep it beside the cluster
network's.

Invariant: a file that cannot be read or used is reported and hides no other file. If it was Multus'
before, no pod is attached until it can be read again or is gone. All functions block.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from cni.confdir.files import (
    FILE_NAME,
    ClusterNetwork,
    cluster_network,
    conf_files,
    is_ours,
    is_saved,
    read_conf,
    types_of,
)
from cni.confdir.multus_settings import MultusSettings, multus_confs, multus_settings
from planes.model.errors import JsonObject, NotFound, PlanesError
from planes.model.wire.netconf import ConfList, parse_conflist

DAEMON_CONFIG: Final = "multus.d/daemon-config.json"
"""The settings of thick Multus' daemon, below the conf dir."""

_LOOPBACK: Final = "loopback"

Stamp = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class ConfDirContent:
    """The content of the directory.

    Attributes:
        stamp: times, sizes and inodes of all files that were read.
        default: the default network.
        by_name: all networks.
        problems: why files were ignored.
        followed: files of other directories that were read.
        default_name: the name of the default network, where Multus' file says no more.
        multus: the other settings of Multus' file; None where there is no such file.
    """

    stamp: Stamp = ()
    default: ConfList | None = None
    by_name: dict[str, ConfList] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    followed: tuple[Path, ...] = ()
    default_name: str = ""
    multus: MultusSettings | None = None


def look(directory: Path, before: ConfDirContent, root: str = "") -> ConfDirContent:
    """Read the directory, if a file was added, removed or changed; else return `before`.

    Args:
        directory: may be missing: then it has no files.
        before: what the last call returned.
        root: the node's root directory as we see it, for files that Multus names.
    """
    paths = [path for path in conf_files(directory, with_saved=True) if path.is_file()]
    stamp = _stamp([*paths, *before.followed])
    if stamp and stamp == before.stamp:
        return before
    reading = _Reading(directory, root)
    for path in paths:
        try:
            reading.take(path)
        except PlanesError as error:
            reading.problems.append(str(error))
            reading.keep(before.multus, path, error)
    followed = tuple(dict.fromkeys(reading.followed))
    return ConfDirContent(
        _stamp([*paths, *followed]),
        reading.default,
        reading.by_name,
        tuple(reading.problems),
        followed,
        reading.default_name,
        reading.multus,
    )


class _Reading:
    """Collects the content of the directory, file by file in their order."""

    def __init__(self, directory: Path, root: str) -> None:
        self._directory = directory
        self._root = root
        self.default: ConfList | None = None
        self.default_name = ""
        self.multus: MultusSettings | None = None
        self.by_name: dict[str, ConfList] = {}
        self.problems: list[str] = []
        self.followed: list[Path] = []

    def take(self, path: Path) -> None:
        """Read a file.

        Raises:
            PlanesError: it cannot be read or used.
        """
        obj = read_conf(path)
        if any(is_ours(kind) for kind in types_of(obj)):
            self._take_multus(obj, path)
        elif path.name != FILE_NAME and not is_saved(path):
            self._add(self._conflist(obj, path), path)

    def keep(self, before: MultusSettings | None, path: Path, error: PlanesError) -> None:
        """Keep the last settings of a Multus file that cannot be read now, and attach no pod.

        It may be half written. Without its settings namespaces would not be isolated, and a later
        file might be taken for the cluster network.
        """
        if before is not None and before.file == path.name and self.multus is None:
            self.multus = replace(before, fault=before.fault or str(error))

    def _take_multus(self, obj: JsonObject, path: Path) -> None:
        """Read a file of Multus; the settings of the first one count, as for a container runtime.

        Namespaces are isolated if any of the files says so.
        """
        daemon = self._daemon_config() if any(multus_confs(obj, {})) else {}
        for conf in multus_confs(obj, daemon):
            found = multus_settings(conf, path, has_daemon=bool(daemon))
            if self.multus is None:
                self.multus = found
            elif found.isolates and not self.multus.isolates:
                shared = found.global_namespaces
                self.multus = replace(self.multus, isolates=True, global_namespaces=shared)
            self._take_cluster_network(cluster_network(conf, path, self._root), path)

    def _daemon_config(self) -> JsonObject:
        path = self._directory / DAEMON_CONFIG
        self.followed.append(path)
        try:
            return read_conf(path)
        except NotFound as error:
            if path.exists():
                self.problems.append(str(error))
            return {}

    def _take_cluster_network(self, found: ClusterNetwork, path: Path) -> None:
        if found.path is not None:
            self.followed.append(found.path)
            self._add(self._conflist(read_conf(found.path), found.path), found.path)
        elif found.conflist is not None:
            self._add(found.conflist, path)
        elif self.default is None and not self.default_name:
            self.default_name = found.name

    def _add(self, found: ConfList, path: Path) -> None:
        self.by_name.setdefault(found.name, found)
        if all(plugin.type == _LOOPBACK for plugin in found.plugins):
            what = "brings up lo alone" if found.plugins else "has no plugins"
            self.problems.append(f"the config file {path} is no default network: it {what}")
        else:
            self.default = self.default or found

    def _conflist(self, obj: JsonObject, path: Path) -> ConfList:
        conflist, folder = _in_file(obj, path)
        self.followed += folder
        return conflist


def file_network(path: Path) -> ConfList:
    """Return the network of a file, with the plugins of its folder (CNI spec 1.1.0, plugin files).

    Raises:
        PlanesError: it cannot be read or used.
    """
    return _in_file(read_conf(path), path)[0]


def _in_file(obj: JsonObject, path: Path) -> tuple[ConfList, list[Path]]:
    """Return the network of a file, and the folder with files of plugins that it includes."""
    is_list = path.suffix == ".conflist"
    conflist = parse_conflist(obj, what=f"the config file {path}", allow_empty=is_list)
    if not is_list or conflist.load_only_inlined_plugins:
        return conflist, []
    folder = path.parent / conflist.name
    more = sorted(folder.glob("*.conf"))
    return conflist.with_plugins([read_conf(one) for one in more]), [folder, *more]


def _stamp(paths: list[Path]) -> Stamp:
    return tuple((str(path), *_times(path)) for path in paths)


def _times(path: Path) -> tuple[int, int, int]:
    try:
        facts = path.stat()
    except OSError:
        return 0, 0, 0
    return facts.st_mtime_ns, facts.st_size, facts.st_ino
