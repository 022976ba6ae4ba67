"""Multus' own files in the CNI conf dir: renamed while ours is first, restored by `uninstall`.

Invariant: a file is restored only if pods can start with it: never one whose cluster network is our
own file, never one of a Multus that does not run.
"""

from __future__ import annotations

import logging
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cni.confdir.files import (
    FILE_NAME,
    SAVED,
    conf_files,
    is_multus,
    is_saved,
    read_bytes,
    read_conf,
    types_of,
)
from cni.confdir.multus_settings import multus_confs
from planes.model.decode import loads_object
from planes.model.errors import JsonObject, PlanesError
from planes.run.files import replace, sync_directory

_log = logging.getLogger(__name__)

_TYPE: Final = "netplane"

# The keys that Multus copies from the network it finds first, which is ours.
_COPIED: Final = frozenset({"clusterNetwork", "delegates", "capabilities", "cniVersion", "name"})

WhyNot = Callable[[JsonObject], str]
"""Returns why the Multus of a file does not run, "" where it does."""


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """The outcome for the files that were set aside, by name.

    Attributes:
        restored: files that have their own name again.
        kept: files that stay set aside, and why.
    """

    restored: tuple[str, ...]
    kept: Mapping[str, str]


def save_multus(directory: Path) -> None:
    """Copy Multus' own files to their saved names, before ours is written.

    Thick Multus rewrites its file as soon as ours is there, with ours as its cluster network
    (4.3.0, pkg/server/config, monitorPluginConfiguration). The one that it named before would be
    lost.

    Raises:
        OSError: a copy cannot be written.
    """
    for path in conf_files(directory):
        try:
            data = read_bytes(path)
            obj = loads_object(data, str(path))
        except PlanesError:
            continue
        if _is_of_multus(obj) and not leads_to_us(obj) and not path.is_symlink():
            mode = stat.S_IMODE(path.stat().st_mode)
            replace(path.with_name(path.name + SAVED), data, mode=mode)


def set_multus_aside(directory: Path) -> None:
    """Rename Multus' own files so that no container runtime uses them; we still read them.

    A file that Multus wrote while ours was first has ours as its cluster network. The earlier one,
    which names the real one, is kept then, and settings in which the two differ are logged.

    Raises:
        OSError: a file cannot be renamed.
    """
    for path in conf_files(directory):
        obj = _parsed(path)
        if obj is None or not _is_of_multus(obj):
            continue
        saved = path.with_name(path.name + SAVED)
        known = _parsed(saved)
        if known is not None and leads_to_us(obj):
            _log_differing(obj, known, saved)
            path.unlink()
        elif known == obj:  # the saved one is a copy, which no open descriptor writes to
            path.unlink()
        else:
            path.rename(saved)
        sync_directory(directory)
        _log.warning("Multus' CNI config set aside", extra={"file": path.name, "saved": saved.name})


def _log_differing(new: JsonObject, kept: JsonObject, saved: Path) -> None:
    """Log the settings in which a file that is not kept differs from the kept one."""
    for one, other in zip(multus_confs(new, {}), multus_confs(kept, {}), strict=False):
        keys = sorted(key for key in {*one, *other} - _COPIED if one.get(key) != other.get(key))
        if keys:
            _log.warning(
                "Multus' new CNI config has other settings than the one that counts: copy those "
                "that you mean",
                extra={"settings": keys, "into": saved.name},
            )


def restore_multus(directory: Path, why_not: WhyNot) -> RestoreResult:
    """Restore the files of a Multus that runs.

    A file that Multus has written again is newer and stays. One whose cluster network is our file
    is removed, as that file goes.

    Args:
        directory: the CNI conf dir.
        why_not: called for each file that would be restored.

    Raises:
        OSError: a file cannot be renamed.
    """
    restored, kept = [], {}
    for saved in [path for path in conf_files(directory, with_saved=True) if is_saved(path)]:
        path = saved.with_name(saved.name.removesuffix(SAVED))
        obj = _parsed(saved) or {}
        if leads_to_us(obj):
            _log.warning("Multus' CNI config names us: restart Multus", extra={"file": path.name})
            saved.unlink()
        elif path.exists() and not leads_to_us(_parsed(path) or {}):
            saved.unlink()
        elif why := why_not(obj):
            path.unlink(missing_ok=True)  # its cluster network is our file, and Multus does not run
            kept[path.name] = why
        else:
            saved.rename(path)
            restored.append(path.name)
    if restored or kept:
        sync_directory(directory)
    return RestoreResult(tuple(restored), kept)


def leads_to_us(obj: JsonObject) -> bool:
    """Report whether a Multus file's cluster network is our own file."""
    for conf in (obj, *_plugins(obj)):
        delegates = conf.get("delegates")
        if isinstance(delegates, list) and delegates and isinstance(delegates[0], dict):
            return _TYPE in types_of(delegates[0])
        network = conf.get("clusterNetwork")
        if isinstance(network, str):
            return Path(network).name == FILE_NAME
    return False


def _is_of_multus(obj: JsonObject) -> bool:
    return any(is_multus(kind) for kind in types_of(obj))


def _plugins(obj: JsonObject) -> list[Mapping[str, object]]:
    plugins = obj.get("plugins")
    return [one for one in plugins if isinstance(one, dict)] if isinstance(plugins, list) else []


def _parsed(path: Path) -> JsonObject | None:
    try:
        return read_conf(path)
    except PlanesError:
        return None
