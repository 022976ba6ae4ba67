"""Restores the CNI conf dir for `uninstall`: Multus' files if it runs, else the cluster network's.

Invariant: at every instant the first config that a container runtime finds is one that pods can
start with.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cni.confdir.default_network import multus_dir_of
from cni.confdir.files import FILE_NAME, SAVED, conf_files, is_ours, read_conf, types_of
from cni.confdir.multus_aside import restore_multus
from cni.confdir.multus_running import why_not_running
from cni.confdir.reading import DAEMON_CONFIG, ConfDirContent, file_network, look
from cni.confdir.trusted_nads import TrustedNads, no_nads
from cni.host.chroot import resolve
from planes.model.encode import dumps
from planes.model.errors import JsonObject, PlanesError, Unavailable
from planes.model.objects import NadRef
from planes.model.wire.netconf import ConfList
from planes.run.files import remove_temporaries, replace, sync_directory

_log = logging.getLogger(__name__)

WRITTEN: Final = "0-cluster-network.conflist"
"""The file written for a cluster network without its own; sorts before the usual names."""

_MODE: Final = 0o600


def restore_conf_dir(
    directory: Path,
    bin_dirs: Sequence[str] = (),
    root: str = "",
    *,
    multus_dir: str = "",
    nads: TrustedNads = no_nads,
) -> None:
    """Restore a running Multus' config, then remove ours.

    Args:
        directory: the CNI conf dir.
        bin_dirs: where the container runtime looks up plugins.
        root: the node's root directory as we see it.
        multus_dir: as for `ConfDir`.
        nads: looks up the NAD that may be the cluster network.

    Raises:
        Unavailable: a file cannot be renamed, written or removed.
    """
    try:
        content = look(directory, ConfDirContent(), root)
        daemon = _daemon_config(directory)
        done = restore_multus(directory, lambda obj: why_not_running(obj, daemon, bin_dirs, root))
        for name, why in done.kept.items():
            _log.warning(
                "Multus' CNI config stays set aside, for Multus does not run: pods of this node "
                "get the cluster network alone",
                extra={"file": name, "saved": name + SAVED, "reason": why},
            )
        if done.kept and not done.restored:
            default = _cluster_network(content, root, multus_dir or multus_dir_of(content), nads)
            _write_first(directory, default, content.default_name)
        ours = directory / FILE_NAME
        if ours.exists():
            ours.unlink()
            sync_directory(directory)
            _log.info("our CNI config is removed", extra={"restored": done.restored})
        remove_temporaries(directory)
    except OSError as error:
        raise Unavailable(
            f"cannot give {directory} back: {error.strerror or error}", remedy="run as root"
        ) from error


def _daemon_config(directory: Path) -> JsonObject:
    try:
        return read_conf(directory / DAEMON_CONFIG)
    except PlanesError:
        return {}


def _cluster_network(
    content: ConfDirContent, root: str, multus_dir: str, nads: TrustedNads
) -> ConfList | None:
    """Return the cluster network as `ConfDir.of_multus` finds it; None where there is none."""
    if not content.default_name or content.multus is None:
        return content.default
    nad = nads(NadRef(content.multus.namespace, content.default_name))
    if nad is not None:
        return nad
    elsewhere = look(Path(resolve(root, multus_dir)), ConfDirContent(), root)
    return elsewhere.by_name.get(content.default_name) or content.by_name.get(content.default_name)


def _write_first(directory: Path, default: ConfList | None, wanted: str) -> None:
    """Write a file for the cluster network where container runtimes would use another first.

    Raises:
        OSError: it cannot be written.
    """
    first = _first(directory)
    if default is None:
        _log.error(
            "cannot find the cluster network in a file of this node: pods start when there is one",
            extra={"directory": str(directory), "network": wanted, "first": first},
        )
    elif first != default.name:
        replace(directory / WRITTEN, _bytes(default), mode=_MODE)
        _log.warning(
            "the cluster network that Multus' file named has its own file now",
            extra={"network": default.name, "file": WRITTEN, "before": first},
        )


def _first(directory: Path) -> str:
    """Return the name of the network that container runtimes use without us, "" for none."""
    for path in conf_files(directory):
        try:
            if path.name != FILE_NAME and not any(map(is_ours, types_of(read_conf(path)))):
                return file_network(path).name
        except PlanesError:  # a container runtime skips it, too
            continue
    return ""


def _bytes(default: ConfList) -> bytes:
    """Return the bytes of the network's file, with the plugins of its folder inline."""
    return dumps({**default.raw, "loadOnlyInlinedPlugins": True}, "the cluster network")
