"""The files of a CNI conf dir: which count, in which order, and which cluster network Multus names.

Invariant: the type in a file counts, not the file's name. A network whose plugin would call us
again is never returned. All functions block.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cni.host.chroot import resolve
from planes.model.decode import Fields, loads_object
from planes.model.errors import JsonObject, NotFound
from planes.model.wire.cniversion import CURRENT
from planes.model.wire.netconf import ConfList, parse_conflist
from planes.run.files import read_regular

FILE_NAME: Final = "00-netplane.conflist"
"""Our own file on a cluster: never the default network, whatever it contains."""

SAVED: Final = ".netplane-saved"
"""The suffix of a file that we set aside: container runtimes ignore it."""

_SUFFIXES: Final = (".conf", ".conflist", ".json")
_OURS: Final = "netplane"
_MULTUS: Final = "multus"
_MAX_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class ClusterNetwork:
    """The cluster network that a Multus file names; all empty where it names none, or us.

    Attributes:
        conflist: its configuration, where the file has it inline.
        name: its name, where the file says no more.
        path: its own file.
    """

    conflist: ConfList | None = None
    name: str = ""
    path: Path | None = None


def conf_files(directory: Path, *, with_saved: bool = False) -> list[Path]:
    """Return the config files in the order in which container runtimes read them.

    Args:
        directory: may be missing: then there are none.
        with_saved: include those that were set aside, each after the file of its name.
    """
    try:
        found = [path for path in directory.iterdir() if path.suffix in _SUFFIXES or is_saved(path)]
    except OSError:
        return []
    return sorted(path for path in found if with_saved or not is_saved(path))


def is_saved(path: Path) -> bool:
    """Report whether we set the file aside."""
    return path.name.endswith(SAVED)


def read_conf(path: Path) -> JsonObject:
    """Read a file.

    Raises:
        NotFound: it cannot be read.
        BadInput: it is no JSON object.
    """
    return loads_object(read_bytes(path), f"the config file {path}")


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file.

    Raises:
        NotFound: it cannot be read.
    """
    try:
        return read_regular(path, _MAX_BYTES, follows=True)
    except OSError as error:
        reason = error.strerror or error
        raise NotFound(f"cannot read the config file {path}: {reason}") from error


def types_of(obj: JsonObject) -> list[str]:
    """Return the plugin types of a netconf or conflist."""
    fields = Fields(obj, "the config file")
    listed = [plugin.get("type") for plugin in fields.objects("plugins")]
    return [kind for kind in (obj.get("type"), *listed) if isinstance(kind, str)]


def is_ours(kind: str) -> bool:
    """Report whether a plugin type is ours or Multus', which would call us again."""
    return kind == _OURS or is_multus(kind)


def is_multus(kind: str) -> bool:
    """Report whether a plugin type is Multus, thin or thick (`multus-shim`)."""
    return kind.startswith(_MULTUS)


def cluster_network(conf: JsonObject, path: Path, root: str = "") -> ClusterNetwork:
    """Return the cluster network that a configuration of Multus names.

    `clusterNetwork` wins over `delegates`, as in Multus (4.3.0, pkg/types, LoadNetConf).

    Args:
        conf: one of `multus_settings.multus_confs`.
        path: the file it is in.
        root: the node's root directory as we see it: the named file may be anywhere below.

    Raises:
        PlanesError: the network it names cannot be used.
    """
    fields = Fields(conf, f"the config file {path}")
    network = fields.string("clusterNetwork")
    if network:
        return _follow(network, path, root)
    delegates = fields.objects("delegates")
    if not delegates:
        return ClusterNetwork()
    version = delegates[0].get("cniVersion") or conf.get("cniVersion") or CURRENT
    first = {"cniVersion": version, **delegates[0]}
    if any(is_ours(one) for one in types_of(first)):
        return ClusterNetwork()
    return ClusterNetwork(parse_conflist(first, what=f"the delegate in {path}"))


def _follow(name: str, path: Path, root: str) -> ClusterNetwork:
    """Follow `clusterNetwork`: a file, a directory whose first file counts, or a name."""
    if Path(name).name == FILE_NAME:
        return ClusterNetwork()
    if "/" not in name:
        return ClusterNetwork(name=name)
    for target in paths_of(name, path.parent, root):
        for candidate in conf_files(target) if target.is_dir() else [target]:
            is_another = candidate.is_file() and candidate != path
            if is_another and not any(map(is_ours, types_of(read_conf(candidate)))):
                return ClusterNetwork(path=candidate)
    return ClusterNetwork()


def paths_of(name: str, beside: Path, root: str) -> tuple[Path, ...]:
    """Return where a path that Multus names may be: it may be a path of Multus' container.

    Args:
        name: the path as Multus' file has it.
        beside: the conf dir, whose file of that name is the last candidate.
        root: the node's root directory as we see it.
    """
    target = Path(name)
    if not target.is_absolute():
        return ()
    return Path(resolve(root, name)), target, beside / target.name
