"""`python -m cni install`: the shim into the CNI bin dir.

Invariant: at every instant the bin dir holds the old shim or the new one, whole and executable,
also while the old one runs. A file of that name that is not ours is kept, and comes back when we
are uninstalled.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TextIO

from cni.conf_files import SAVED
from cni.settings import PROG, option
from planes.model.errors import NotFound, Unavailable
from planes.run.logs import configure
from planes.run.settings import CONFIG, Option, load
from planes.store.files import remove_temporaries, sync_directory, temporary

_log = logging.getLogger(__name__)

SHIM_NAME: Final = "netplane"
_MODE: Final = 0o755
# What our shim tells whoever finds no daemon: whatever has it in it is a shim of ours.
_MARK: Final = b"check that netplane-cni runs on this node"

OPTIONS: Final = (
    Option("--shim", "/opt/netplane/bin/netplane", "the shim to install"),
    option("--cni-bin-dir"),
    option("--log-level"),
    CONFIG,
)


def install(argv: Sequence[str], env: Mapping[str, str], stderr: TextIO) -> int:
    """Install the shim as the command line says; the exit status.

    Raises:
        SystemExit: 2 after one line about a flag or variable; 0 after `--help`.
        PlanesError: it cannot be installed.
    """
    given = load(f"{PROG} install", OPTIONS, argv, env, description="Install the shim.")
    configure(given["log_level"], stderr)
    put_shim(Path(given["shim"]), Path(given["cni_bin_dir"][0]))
    return 0


def put_shim(shim: Path, directory: Path) -> None:
    """Put the shim into a directory, unless that very shim is there.

    Raises:
        NotFound: there is no shim to install.
        Unavailable: it cannot be written.
    """
    target = directory / SHIM_NAME
    try:
        data = shim.read_bytes()
    except OSError as error:
        raise NotFound(
            f"cannot read the shim {shim}: {error.strerror or error}",
            remedy="build it with make, or name it with --shim",
        ) from error
    try:
        directory.mkdir(parents=True, exist_ok=True)
        there = _content(target)
        if there == data and target.stat().st_mode & 0o777 == _MODE:
            _log.info("the shim is there already", extra={"file": str(target)})
            return
        if there is not None and not is_ours(there):
            _save(target)
        _replace(target, data)
    except OSError as error:
        raise Unavailable(
            f"cannot write the shim {target}: {error.strerror or error}",
            remedy="run as root; the directory is the first of --cni-bin-dir",
        ) from error
    _log.info("shim installed", extra={"file": str(target)})


def take_shim(directory: Path) -> None:
    """Remove the shim, and put back what was there before it; what is not ours stays.

    Raises:
        Unavailable: it cannot be removed.
    """
    target = directory / SHIM_NAME
    saved = target.with_name(target.name + SAVED)
    try:
        remove_temporaries(directory)
        there = _content(target)
        if there is not None and not is_ours(there):
            return
        if saved.exists():
            saved.rename(target)
        elif there is not None:
            target.unlink()
        else:
            return
        sync_directory(directory)
    except OSError as error:
        raise Unavailable(
            f"cannot remove the shim {target}: {error.strerror or error}", remedy="run as root"
        ) from error
    _log.info("shim removed", extra={"file": str(target)})


def is_ours(data: bytes) -> bool:
    """Tell whether bytes are a shim of ours, of whichever version."""
    return _MARK in data


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _save(target: Path) -> None:
    """Keep a foreign file of our name beside it."""
    saved = target.with_name(target.name + SAVED)
    with suppress(FileNotFoundError):
        saved.unlink()
    os.link(target, saved)
    _log.warning("another program has our shim's name: kept", extra={"file": str(saved)})


def _replace(target: Path, data: bytes) -> None:
    fresh = temporary(target.parent, data)
    try:
        fresh.chmod(_MODE)
        fresh.rename(target)
    except OSError:
        with suppress(OSError):
            fresh.unlink()
        raise
    sync_directory(target.parent)
