"""`python -m cni install`: copies the shim to the CNI bin dir.

Invariant: at every instant the bin dir holds the old shim or the new one, whole and executable,
also while the old one runs. A file of that name that is not ours is saved beside it, and restored
when the shim is removed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TextIO

from cni.confdir.files import SAVED
from cni.settings import INSTALL_OPTIONS, PROG
from planes.model.errors import NotFound, Unavailable
from planes.run.files import remove_temporaries, replace, sync_directory
from planes.run.logs import configure
from planes.run.settings import load

_log = logging.getLogger(__name__)

SHIM_NAME: Final = "netplane"
_MODE: Final = 0o755
# A binary that contains one of these is a shim of ours: `marker` in cni/shim/netplane.c, and for
# shims built before it was there a sentence of an error.
_MARKERS: Final = (b"netplane.io/cni-shim", b"check that netplane-cni runs on this node")


def install(argv: Sequence[str], env: Mapping[str, str], stderr: TextIO) -> int:
    """Install the shim as the command line says; return the exit status.

    Raises:
        SystemExit: 2 after one line about a flag or variable; 0 after `--help`.
        PlanesError: it cannot be installed.
    """
    given = load(f"{PROG} install", INSTALL_OPTIONS, argv, env, description="Install the shim.")
    configure(given["log_level"], stderr)
    put_shim(Path(given["shim"]), Path(given["cni_bin_dir"][0]))
    return 0


def put_shim(shim: Path, directory: Path) -> None:
    """Copy the shim to a directory, unless the same bytes are there with the same mode.

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
        present = _content(target)
        if present == data and target.stat().st_mode & 0o777 == _MODE:
            _log.info("the shim is there already", extra={"file": str(target)})
            return
        if present is not None and not is_ours(present):
            _save(target)
        replace(target, data, mode=_MODE)
    except OSError as error:
        raise Unavailable(
            f"cannot write the shim {target}: {error.strerror or error}",
            remedy="run as root; the directory is the first of --cni-bin-dir",
        ) from error
    _log.info("shim installed", extra={"file": str(target)})


def take_shim(directory: Path) -> None:
    """Remove the shim and restore the file that was there before it; a foreign file stays.

    Raises:
        Unavailable: it cannot be removed.
    """
    target = directory / SHIM_NAME
    saved = target.with_name(target.name + SAVED)
    try:
        remove_temporaries(directory)
        present = _content(target)
        if present is not None and not is_ours(present):
            return
        if saved.exists():
            saved.rename(target)
        elif present is not None:
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
    """Report whether a file's bytes are a shim of ours, of any version."""
    return any(marker in data for marker in _MARKERS)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _save(target: Path) -> None:
    """Link a foreign file of the shim's name to its saved name."""
    saved = target.with_name(target.name + SAVED)
    with suppress(FileNotFoundError):
        saved.unlink()
    os.link(target, saved)
    _log.warning("another program has our shim's name: kept", extra={"file": str(saved)})
