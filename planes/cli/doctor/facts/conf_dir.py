"""The CNI conf dir: its files in the order of container runtimes, and the default network."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from cni.confdir.files import FILE_NAME, SAVED, conf_files, read_conf, types_of
from cni.confdir.reading import ConfDirContent, look
from planes.cli.doctor.diagnosis import CannotCheck
from planes.model.errors import JsonObject, PlanesError
from planes.model.wire.netconf import ConfList

_MOST_FILES: Final = 1024
_OURS: Final = "netplane"


@dataclass(frozen=True, slots=True)
class NetworkFile:
    """One file that container runtimes read.

    Attributes:
        types: the plugin types in it.
        fault: why it cannot be read or used, "" where it can.
        needs_default: it has Netplane attach the default network of the directory.
    """

    name: str
    types: tuple[str, ...] = ()
    fault: str = ""
    needs_default: bool = False

    @property
    def is_ours(self) -> bool:
        """Whether it has a container runtime call Netplane."""
        return self.name == FILE_NAME or _OURS in self.types


@dataclass(frozen=True, slots=True)
class ConfDirFiles:
    """The directory.

    Attributes:
        directory: its path.
        files: in the order in which runtimes read them.
        others: names of other files and folders.
        default: the default network that Netplane finds; None without one.
        problems: why files are ignored.
        is_there: whether there is such a directory.
    """

    directory: str
    files: tuple[NetworkFile, ...] = ()
    others: frozenset[str] = frozenset()
    default: ConfList | None = None
    problems: tuple[str, ...] = ()
    is_there: bool = True


def read_conf_dir(directory: Path, root: str = "") -> ConfDirFiles:
    """Read the directory.

    Args:
        directory: its path as this process sees it.
        root: the node's root directory, for files that Multus names.

    Raises:
        CannotCheck: it cannot be listed, or has too many entries.
    """
    try:
        with os.scandir(directory) as entries:
            names = [entry.name for entry in islice(entries, _MOST_FILES + 1)]
    except FileNotFoundError:
        return ConfDirFiles(str(directory), is_there=False)
    except OSError as error:
        raise CannotCheck(f"{directory}: {error.strerror or error}") from error
    if len(names) > _MOST_FILES:
        raise CannotCheck(f"{directory} has more than {_MOST_FILES} entries")
    paths = conf_files(directory)
    listed = {path.name for path in paths}
    content = look(directory, ConfDirContent(), root)
    return ConfDirFiles(
        str(directory),
        tuple(_file(path) for path in paths),
        frozenset(name for name in names if name not in listed and not name.endswith(SAVED)),
        content.default,
        content.problems,
    )


def _file(path: Path) -> NetworkFile:
    try:
        conf = read_conf(path)
        return NetworkFile(path.name, tuple(types_of(conf)), needs_default=_lacks_delegate(conf))
    except PlanesError as error:
        return NetworkFile(path.name, fault=error.message)


def _lacks_delegate(conf: JsonObject) -> bool:
    """Report whether it begins with Netplane, and does not say what the default network is."""
    listed = conf.get("plugins")
    first = listed[0] if isinstance(listed, list) and listed else conf
    return isinstance(first, dict) and first.get("type") == _OURS and first.get("delegate") is None
