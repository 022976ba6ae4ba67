"""`python -m cni uninstall`: the node as it was before us.

From the first step on new pods start without us: what Multus had is put back, then our config and
the shim go. What remains are pods that still run with planes: their DEL will go to the default
network's plugin alone, which knows nothing of the planes' addresses. So nothing is forgotten
behind their back: what is held for pods that are gone is given back now; while there are others
the state stays, they are named, and the exit status is 3. Run it again when they are gone (as the
init container that it is on a cluster, it is), or with `--release`, which takes the planes out of
the running pods first. Their addresses are never given back while an interface still has them.

Invariant: it may be run again at any time, also when all is gone already.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace as changed
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Final, TextIO

from cni.conf_files import FILE_NAME
from cni.conflist import restore_multus
from cni.contain import UNFINISHED
from cni.daemon import Daemon
from cni.entry import Damaged, Entry, whose
from cni.install import take_shim
from cni.machine import machine
from cni.rooted import resolve
from cni.serving.listener import lock_of
from cni.settings import OPTIONS as DAEMON_OPTIONS
from cni.settings import PROG, Settings, settings_from
from cni.state_lock import LOCK_NAME, hold_state
from cni.world import World
from planes.model.errors import JsonObject, NotFound, Unavailable
from planes.run.logs import configure
from planes.run.settings import Option, boolean, load
from planes.store.files import remove_temporaries, sync_directory

_log = logging.getLogger(__name__)

STILL_IN_USE: Final = 3
# A daemon that was just asked to end drains for 30 s and may have plugins to undo.
_PATIENCE: Final = 120.0
# What we make in the state directory: whatever else somebody put there is not ours to remove.
_STATIC: Final = "static-addresses"
_KEPT: Final = "kept-static"
_STATE: Final = (
    *("journal", "spool", "status", "addresses", _STATIC, _KEPT, "events.jsonl*"),
    *(LOCK_NAME, UNFINISHED),
)
_TELL_SECONDS: Final = 15.0
_LOOK_SECONDS: Final = 0.1

OPTIONS: Final = (
    *DAEMON_OPTIONS,
    Option(
        "--release",
        "false",
        "take the planes out of pods that still run, now",
        boolean,
        is_switch=True,
    ),
)


def uninstall(argv: Sequence[str], env: Mapping[str, str], stderr: TextIO) -> int:
    """Uninstall as the command line says; 0, or 3 while pods with planes are left.

    Raises:
        SystemExit: 2 after one line about a flag or variable; 0 after `--help`.
        PlanesError: a step failed; run it again.
    """
    given = load(
        f"{PROG} uninstall", OPTIONS, argv, env, description="Give the node back as it was."
    )
    settings = settings_from({**given, "node": given["node"] or platform.node()})
    configure(settings.log_level, stderr)
    return _uninstall(settings, env, stderr, releases=given["release"])


def _uninstall(
    settings: Settings, env: Mapping[str, str], stderr: TextIO, *, releases: bool
) -> int:
    is_known = settings.state_dir.is_dir()
    held = hold_state(settings.state_dir, _PATIENCE) if is_known else None
    try:
        give_back_config(settings.cni_conf_dir)
        for directory in settings.cni_bin_dir:
            take_shim(Path(resolve(settings.host_root, directory)))
        if held is not None:
            left = asyncio.run(_retire(settings, env, releases=releases))
            if left:
                _name(left, stderr)
                return STILL_IN_USE
        _remove(settings.state_dir, settings.host_root, _STATE)
        ours = [settings.socket.name, lock_of(settings.socket).name]
        _remove(settings.socket.parent, settings.host_root, ours)
    finally:
        if held is not None:
            os.close(held)
    _log.info("uninstalled")
    return 0


def give_back_config(directory: Path) -> None:
    """Put Multus' config back and remove ours, in this order: a pod never finds neither.

    Raises:
        Unavailable: a file cannot be renamed or removed.
    """
    try:
        restored = restore_multus(directory)
        ours = directory / FILE_NAME
        if ours.exists():
            ours.unlink()
            sync_directory(directory)
            _log.info("our CNI config is removed", extra={"restored": restored})
        remove_temporaries(directory)
    except OSError as error:
        raise Unavailable(
            f"cannot give {directory} back: {error.strerror or error}", remedy="run as root"
        ) from error


async def _retire(
    settings: Settings, env: Mapping[str, str], *, releases: bool
) -> tuple[Entry | Damaged, ...]:
    with TemporaryDirectory(prefix="netplane-") as nothing:
        world = _world(settings, env, Path(nothing))
        try:
            daemon = Daemon(changed(settings, metrics=None), world)
            left = await daemon.retirement.retire(takes_out=releases)
            if not left:
                await _tell_api(settings.state_dir / _STATIC, world)
        finally:
            await world.close()
            await asyncio.to_thread(world.kernel.close)
    return left


def _world(settings: Settings, env: Mapping[str, str], nothing: Path) -> World:
    """Give the cluster's world; without access to it, one that knows no pods and no planes."""
    try:
        return machine(settings, env)
    except NotFound as error:
        _log.warning("the API server is not told", extra={"reason": str(error)})
        return machine(changed(settings, standalone=nothing), env)


async def _tell_api(records: Path, world: World) -> None:
    """Let the API server hear of static addresses that were given back, for a while."""
    tasks = [asyncio.ensure_future(run()) for run in world.services.values()]
    try:
        deadline = world.clock.monotonic() + _TELL_SECONDS
        while tasks and _files(records) and world.clock.monotonic() < deadline:
            await world.clock.sleep(_LOOK_SECONDS)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if kept := _files(records):
        _log.warning("static addresses are not given back to the cluster", extra={"files": kept})


def _files(directory: Path) -> int:
    return len(list(directory.glob("*.json")))


def _name(left: Sequence[Entry | Damaged], stderr: TextIO) -> None:
    pods = sorted({_pod(one) for one in left})
    for one in left:
        facts: JsonObject = {"container_id": one.container_id, "ifname": one.ifname}
        if isinstance(one, Entry):
            networks = [a.network for a in one.attachments if not a.is_default]
            facts = {**whose(one), "networks": networks}
        _log.warning("a pod still has planes", extra=facts)
    print(
        f"{PROG}: cannot clean this node: pods still have planes: {', '.join(pods)}; delete them "
        "and run this again, or take their planes away now with --release",
        file=stderr,
    )


def _pod(left: Entry | Damaged) -> str:
    """Give the name of a pod; a damaged entry tells its sandbox alone."""
    if isinstance(left, Entry):
        return f"{left.namespace}/{left.pod}"
    return f"sandbox {left.container_id}"


def _remove(directory: Path, root: str, names: Sequence[str]) -> None:
    """Remove what is ours in a directory, and the directory once nothing else is in it.

    Raises:
        Unavailable: something cannot be removed.
    """
    try:
        for path in [path for name in names for path in directory.glob(name)]:
            if path.is_dir() and not path.is_symlink():
                rmtree(path)
            else:
                path.unlink(missing_ok=True)
        if directory.is_dir() and not any(directory.iterdir()):
            _remove_directory(directory, root)
    except OSError as error:
        raise Unavailable(
            f"cannot remove {directory}: {error.strerror or error}", remedy="run as root"
        ) from error


def _remove_directory(directory: Path, root: str) -> None:
    """Remove an empty directory; mounted into a container, it can only go by its other path."""
    try:
        directory.rmdir()
    except OSError as error:
        # Read-only is where it is mounted to: the container's own root file system.
        if error.errno not in {errno.EBUSY, errno.EROFS} or not root:
            raise
        with suppress(FileNotFoundError):
            Path(f"{root}{directory}").rmdir()
