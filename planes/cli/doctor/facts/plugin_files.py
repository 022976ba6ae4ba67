"""Which plugins are executed, and their binaries."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cni.host.chroot import resolve
from planes.cli.doctor.facts.native import NativeRule
from planes.cli.doctor.facts.networks import KnownNetwork, plugins_of
from planes.model.wire.netconf import NetConf

_MOST: Final = 256


@dataclass(frozen=True, slots=True)
class PluginFile:
    """A file with the name of a plugin type.

    Attributes:
        path: as the node sees it.
    """

    path: str
    is_regular: bool = True
    is_executable: bool = True
    is_readable: bool = True


@dataclass(frozen=True, slots=True)
class ExecutedPlugin:
    """A plugin type that is executed.

    Attributes:
        why: it is not carried out in the daemon.
        users: titles of the networks that have it.
        files: that are found, in the order of the directories.
    """

    type: str
    why: str
    users: tuple[str, ...]
    files: tuple[PluginFile, ...] = ()


def executed_plugins(
    networks: Iterable[KnownNetwork],
    rule: NativeRule,
    directories: Sequence[str],
    root: str = "",
) -> tuple[ExecutedPlugin, ...]:
    """Return the plugin types that are executed, with their files.

    Args:
        networks: those in force.
        rule: says which plugins are executed.
        directories: where binaries are looked up, as the node sees them.
        root: the node's root directory as this process sees it.
    """
    found: dict[str, tuple[str, list[str]]] = {}
    for network, plugin in plugins_of(networks):
        for kind, reason in _executed(plugin, rule):
            found.setdefault(kind, (reason, []))[1].append(network.title)
    return tuple(
        ExecutedPlugin(
            kind, reason, tuple(dict.fromkeys(users)), plugin_files(kind, directories, root)
        )
        for kind, (reason, users) in list(found.items())[:_MOST]
    )


def _executed(plugin: NetConf, rule: NativeRule) -> Iterator[tuple[str, str]]:
    reason = rule.why_executed(plugin)
    if reason:
        yield plugin.type, reason
    if plugin.ipam_type and not rule.handles_ipam(plugin.ipam_type):
        yield plugin.ipam_type, "this IPAM type has no native form"


def plugin_files(kind: str, directories: Sequence[str], root: str) -> tuple[PluginFile, ...]:
    """Return the files of a plugin type that directories have."""
    if "/" in kind or "\0" in kind:
        return ()
    found: Mapping[str, PluginFile | None] = {
        f"{folder}/{kind}": _look(root, f"{folder}/{kind}") for folder in directories
    }
    return tuple(one for one in found.values() if one is not None)


def _look(root: str, path: str) -> PluginFile | None:
    try:
        real = resolve(root, path)
        mode = os.stat(real).st_mode
    except (OSError, ValueError):
        return PluginFile(path, is_regular=False) if os.path.islink(f"{root}{path}") else None
    return PluginFile(
        path,
        stat.S_ISREG(mode),
        # root may execute what anybody may, and reads all but what a file system refuses
        bool(mode & 0o111) and os.access(real, os.X_OK),
        os.access(real, os.R_OK),
    )
