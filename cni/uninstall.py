"""`python -m cni uninstall`: removes Netplane from the node.

First the CNI conf dir is restored (`cni.confdir.restore`) and the shim removed: new pods start
without us. Pods that still run with planes remain: their DEL will go to the default network's
plugin alone, which cannot release the planes' addresses. So what gone pods had is detached now.
While other pods are left the state directory stays, they are named, and the exit status is 3. Run
it again when they are gone (on a cluster it is an init container, which is retried), or with
`--release`, which detaches the planes of running pods and drops what cannot be detached, naming it.

Invariant: it may be run again at any time. An address is never released while an interface has it.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import rmtree
from typing import Final, TextIO

from cni.composition.command_environment import command_environment
from cni.composition.parts import compose
from cni.confdir.cluster_nads import cluster_nads
from cni.confdir.restore import restore_conf_dir
from cni.environment import Environment
from cni.host.chroot import resolve
from cni.host.containment import UNFINISHED
from cni.host.state_lock import LOCK_NAME, lock_state_dir
from cni.install import take_shim
from cni.ipam.used_networks import USED_NETWORKS
from cni.journal.damaged import Damaged
from cni.journal.entry import Entry, log_fields
from cni.journal.pending import Pending, age_text, pending_of
from cni.native.device_records import DEVICE_RECORDS
from cni.reconcile.drain_node import DrainResult
from cni.reconcile.left_by_power_cut import BOOT_MARKER
from cni.reconcile.pending_removal import text_of
from cni.serving.listener import lock_of
from cni.settings import PROG, UNINSTALL_OPTIONS, Settings, settings_from
from planes.model.errors import JsonObject, PlanesError, Unavailable
from planes.run.logs import configure
from planes.run.settings import load

_log = logging.getLogger(__name__)

STILL_IN_USE: Final = 3
# A daemon that was just stopped drains for 30 s, and its plugins may have calls to undo.
_LOCK_SECONDS: Final = 120.0
# What the daemon makes in the state directory; other files there are not removed.
_STATIC: Final = "static-addresses"
_KEPT: Final = "kept-static"
_STATE: Final = (
    *("journal", "spool", "status", "addresses", _STATIC, _KEPT, "events.jsonl*"),
    *(LOCK_NAME, UNFINISHED, BOOT_MARKER, USED_NETWORKS, DEVICE_RECORDS),
)
_FLUSH_SECONDS: Final = 15.0
_MOST_NAMED: Final = 8
_LOOK_SECONDS: Final = 0.1


def uninstall(argv: Sequence[str], env: Mapping[str, str], stderr: TextIO) -> int:
    """Uninstall as the command line says; return 0, or 3 while pods with planes are left.

    Raises:
        SystemExit: 2 after one line about a flag or variable; 0 after `--help`.
        PlanesError: a step failed; run it again.
    """
    given = load(
        f"{PROG} uninstall",
        UNINSTALL_OPTIONS,
        argv,
        env,
        description="Give the node back as it was.",
    )
    settings = settings_from({**given, "node": given["node"] or platform.node()})
    configure(settings.log_level, stderr)
    return _uninstall(settings, env, stderr, releases=given["release"])


def _uninstall(
    settings: Settings, env: Mapping[str, str], stderr: TextIO, *, releases: bool
) -> int:
    is_known = settings.state_dir.is_dir()
    held = lock_state_dir(settings.state_dir, _LOCK_SECONDS) if is_known else None
    try:
        restore_conf_dir(
            settings.cni_conf_dir,
            settings.cni_bin_dir,
            settings.host_root,
            multus_dir=settings.multus_conf_dir,
            nads=cluster_nads(settings, env),
        )
        for directory in settings.cni_bin_dir:
            take_shim(Path(resolve(settings.host_root, directory)))
        if held is not None:
            drained = asyncio.run(_drain(settings, env, releases=releases))
            for one in drained.given_up:
                print(f"{PROG}: gave up: {text_of(one.to_json())}", file=stderr)
            if drained.left:
                _print_left(drained.left, stderr)
                return STILL_IN_USE
        _remove(settings.state_dir, settings.host_root, _STATE)
        ours = [settings.socket.name, lock_of(settings.socket).name]
        _remove(settings.socket.parent, settings.host_root, ours)
    finally:
        if held is not None:
            os.close(held)
    _log.info("uninstalled")
    return 0


async def _drain(settings: Settings, env: Mapping[str, str], *, releases: bool) -> DrainResult:
    async with command_environment(settings, env) as environment:
        drain = compose(settings, environment).reconcile.node_drain
        drained = await drain.drain(is_forced=releases)
        if not drained.left:
            await _flush_addresses(settings.state_dir / _STATIC, environment)
            await _retire(environment)
    return drained


async def _retire(environment: Environment) -> None:
    """Return what this node has of planes, with a timeout: the daemon does not come back."""
    try:
        async with asyncio.timeout(_FLUSH_SECONDS):
            await environment.retire()
    except (PlanesError, TimeoutError) as error:
        _log.warning(
            "address blocks are not given back to the cluster", extra={"error": str(error)}
        )


async def _flush_addresses(records: Path, environment: Environment) -> None:
    """Run the services until static addresses are released in the API server, with a timeout."""
    tasks = [asyncio.ensure_future(run()) for run in environment.services.values()]
    try:
        deadline = environment.clock.monotonic() + _FLUSH_SECONDS
        while tasks and _files(records) and environment.clock.monotonic() < deadline:
            await environment.clock.sleep(_LOOK_SECONDS)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if kept := _files(records):
        _log.warning("static addresses are not given back to the cluster", extra={"files": kept})


def _files(directory: Path) -> int:
    return len(list(directory.glob("*.json")))


def _print_left(left: Sequence[Entry | Damaged], stderr: TextIO) -> None:
    """Print what is left in one line: of a container's log the last line is seen first.

    Pods with planes are to be deleted; entries of deleted pods are listed apart.
    """
    stuck = pending_of(one for one in left if isinstance(one, Entry))
    keys = {(one.container_id, one.ifname) for one in stuck}
    running = [one for one in left if one.key not in keys]
    for one in running:
        facts: JsonObject = {"container_id": one.container_id, "ifname": one.ifname}
        if isinstance(one, Entry):
            networks = [a.network for a in one.attachments if not a.is_default]
            facts = {**log_fields(one), "networks": networks}
        _log.warning("a pod still has planes", extra=facts)
    told = []
    if running:
        pods = ", ".join(sorted({_pod(one) for one in running}))
        told.append(
            f"pods still have planes: {pods}; delete them and run this again, or take their planes "
            "away now with --release"
        )
    if stuck:
        told.append(
            f"what deleted pods had cannot be detached: {_listed(stuck)}; mend what it fails with "
            "and run this again, or drop it with --release, which says what may be left"
        )
    print(f"{PROG}: cannot clean this node: {'. And '.join(told)}", file=stderr)


def _listed(stuck: Sequence[Pending]) -> str:
    now = time.time()
    texts = [
        f"container {one.container_id} of {one.pod or 'no known pod'} "
        f"({one.attempts} attempts in {age_text(one.age(now))}; {one.error})"
        for one in stuck[:_MOST_NAMED]
    ]
    more = [f"and {len(stuck) - _MOST_NAMED} more"] if len(stuck) > _MOST_NAMED else []
    return ", ".join((*texts, *more))


def _pod(left: Entry | Damaged) -> str:
    """Return `namespace/name` of a pod; of a damaged entry only the sandbox is known."""
    if isinstance(left, Entry):
        return f"{left.namespace}/{left.pod}"
    return f"sandbox {left.container_id}"


def _remove(directory: Path, root: str, names: Sequence[str]) -> None:
    """Remove our files of a directory, and the directory if it is then empty.

    Raises:
        Unavailable: a file or the directory cannot be removed.
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
    """Remove an empty directory; one that is mounted into our container by its path on the node.

    A mount point of the node itself (a volume for our state, say) stays, empty.
    """
    try:
        directory.rmdir()
    except FileNotFoundError:
        return
    except OSError as error:
        # EROFS: the mount point is in the read-only root file system of the container.
        if error.errno not in {errno.EBUSY, errno.EROFS}:
            raise
        if root:
            _remove_directory(Path(f"{root}{directory}"), "")
        elif error.errno == errno.EROFS:
            raise
        else:
            _log.info("a mount point is left, empty", extra={"directory": str(directory)})
