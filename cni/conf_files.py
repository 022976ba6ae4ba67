"""The files of a CNI conf dir: which count, in which order, and what a Multus file stands for.

Invariant: what a file is, its content says and not its name; a network that leads back to us is
never given out. Everything here blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from planes.model.decode import Fields, loads_object
from planes.model.errors import JsonObject, NotFound
from planes.model.wire.cniversion import CURRENT
from planes.model.wire.netconf import ConfList, parse_conflist
from planes.store.files import read_regular

FILE_NAME: Final = "00-netplane.conflist"
"""Our own file on a cluster: never the default network, whatever somebody wrote into it."""

SAVED: Final = ".netplane-saved"
"""Ends the name of a file that we set aside: no runtime takes it for a config."""

_SUFFIXES: Final = (".conf", ".conflist", ".json")
_OURS: Final = "netplane"
_PEER: Final = "multus"
_MAX_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Behind:
    """What a Multus file stands for; all absent where it says nothing, or leads to us.

    Attributes:
        conflist: the cluster network.
        name: the cluster network's name, where that is all that is said.
        path: the file that was followed.
    """

    conflist: ConfList | None = None
    name: str = ""
    path: Path | None = None


def conf_files(directory: Path, *, with_saved: bool = False) -> list[Path]:
    """Give the config files in the order in which runtimes look at them.

    Args:
        directory: one that is missing has none.
        with_saved: those that were set aside too, each after the file of its name.
    """
    try:
        found = [path for path in directory.iterdir() if path.suffix in _SUFFIXES or is_saved(path)]
    except OSError:
        return []
    return sorted(path for path in found if with_saved or not is_saved(path))


def is_saved(path: Path) -> bool:
    """Tell whether we set the file aside."""
    return path.name.endswith(SAVED)


def read_conf(path: Path) -> JsonObject:
    """Read a file.

    Raises:
        NotFound: it cannot be read.
        BadInput: it is no JSON object.
    """
    what = f"the config file {path}"
    try:
        return loads_object(read_regular(path, _MAX_BYTES, follows=True), what)
    except OSError as error:
        raise NotFound(f"cannot read {what}: {error.strerror or error}") from error


def types_of(obj: JsonObject) -> list[str]:
    """Give the plugin types of a configuration or list."""
    fields = Fields(obj, "the config file")
    listed = [plugin.get("type") for plugin in fields.objects("plugins")]
    return [kind for kind in (obj.get("type"), *listed) if isinstance(kind, str)]


def is_ours(kind: str) -> bool:
    """Tell whether a plugin type would bring a call back to us, or to Multus."""
    return kind == _OURS or is_peer(kind)


def is_peer(kind: str) -> bool:
    """Tell whether a plugin type is Multus, in whichever of its forms."""
    return kind.startswith(_PEER)


def behind(obj: JsonObject, path: Path, root: str = "") -> Behind:
    """Give the network that a Multus file was set in front of.

    Args:
        obj: what is in the file.
        path: of the file.
        root: the node's root directory as we see it: the file it names may lie anywhere there.

    Raises:
        PlanesError: the network it names cannot be used.
    """
    plugins = Fields(obj, "the config file").objects("plugins")
    for conf in (obj, *plugins):
        kind = conf.get("type")
        if not isinstance(kind, str) or not is_peer(kind):
            continue
        fields = Fields(conf, f"the config file {path}")
        delegates = fields.objects("delegates")
        if delegates:
            version = delegates[0].get("cniVersion") or conf.get("cniVersion") or CURRENT
            first = {"cniVersion": version, **delegates[0]}
            if any(is_ours(one) for one in types_of(first)):
                return Behind()
            return Behind(parse_conflist(first, what=f"the delegate in {path}"))
        return _cluster_network(fields.string("clusterNetwork"), path, root)
    return Behind()


def _cluster_network(name: str, path: Path, root: str) -> Behind:
    """Follow `clusterNetwork`: a file, or a name."""
    target = Path(name)
    if not target.is_absolute():
        return Behind(name=name)
    for candidate in (Path(f"{root}{target}"), target, path.parent / target.name):
        # The path may be the one inside Multus' own container: its name says which file is meant.
        if candidate.is_file() and candidate != path:
            obj = read_conf(candidate)
            if not any(is_ours(kind) for kind in types_of(obj)):
                found = parse_conflist(obj, what=f"the config file {candidate}")
                return Behind(found, path=candidate)
    return Behind()
