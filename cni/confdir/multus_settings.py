"""The settings of a Multus file but its cluster network, read as Multus does (4.3.0, pkg/types).

Keys are matched without case, as Go does. Nothing is looked up: no file, NAD or kernel is read.

Invariant: a setting that changes what a pod gets under Multus is either in the value, or named in
its `fault`: then no pod is attached.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from cni.confdir.files import is_multus, is_ours, types_of
from planes.model.decode import Fields
from planes.model.errors import BadInput, JsonObject, PlanesError
from planes.model.names import MULTUS_NAMESPACE
from planes.model.wire.cniversion import CURRENT
from planes.model.wire.netconf import ConfList, parse_conflist

MOST_NETWORKS: Final = 31
"""Most networks of every pod after its first one: together as many as a pod may name."""

THICK: Final = "multus-shim"
"""The plugin type of thick Multus, whose daemon has its own settings."""

_MOST_NAMESPACES: Final = 4096
_LONGEST_PATH: Final = 4096
_GLOBAL: Final = frozenset({"default"})


@dataclass(frozen=True, slots=True)
class MultusSettings:
    """The settings of a Multus file that are followed, and the keys it has.

    Attributes:
        file: the file's name.
        keys: its keys as written, and those of daemon-config.json.
        lacks_daemon: it is thick Multus', and has no daemon-config.json beside it, whose settings
            are then unknown.
        isolates: `namespaceIsolation`: a NAD serves pods of its own namespace only.
        global_namespaces: namespaces whose NADs serve all pods under isolation.
        delegates: networks that every pod gets after the first one, configured in the file.
        networks: `defaultNetworks`: the same by name or path; not for system namespaces.
        system_namespaces: namespaces whose pods get none of `networks`.
        namespace: where NADs of `clusterNetwork` and `defaultNetworks` are (`multusNamespace`).
        conf_dir: directory of the files of NADs without `spec.config`, "" where not set.
        bin_dir: the first directory in which plugins are looked up, "" where not set.
        cache_dir: Multus' `cniDir`, "" where not set.
        readiness_file: the cluster network is ready while this file exists; "" for always.
        fault: why no pod can be attached as under Multus; "" where pods can.
    """

    file: str
    keys: tuple[str, ...] = ()
    lacks_daemon: bool = False
    isolates: bool = False
    global_namespaces: frozenset[str] = _GLOBAL
    delegates: tuple[ConfList, ...] = ()
    networks: tuple[str, ...] = ()
    system_namespaces: frozenset[str] = frozenset({MULTUS_NAMESPACE})
    namespace: str = MULTUS_NAMESPACE
    conf_dir: str = ""
    bin_dir: str = ""
    cache_dir: str = ""
    readiness_file: str = ""
    fault: str = ""


def multus_confs(obj: JsonObject, daemon: JsonObject) -> Iterator[JsonObject]:
    """Yield the configurations of Multus in a file.

    Args:
        obj: the content of the file.
        daemon: the content of thick Multus' daemon-config.json; its keys replace the file's, as
            Multus' daemon does with every request.
    """
    for conf in (obj, *Fields(obj, "the config file").objects("plugins")):
        kind = conf.get("type")
        if isinstance(kind, str) and is_multus(kind):
            yield _merged(conf, daemon)


def _merged(conf: JsonObject, daemon: JsonObject) -> JsonObject:
    if not daemon:
        return conf
    taken = {key.casefold() for key in daemon} - {"name", "type", "cniversion"}
    own = {key: value for key, value in conf.items() if key.casefold() not in taken}
    return {**own, **{key: value for key, value in daemon.items() if key.casefold() in taken}}


def multus_settings(conf: JsonObject, path: Path, *, has_daemon: bool = False) -> MultusSettings:
    """Read one configuration of Multus; a setting that cannot be followed becomes its `fault`.

    Args:
        conf: one of `multus_confs`.
        path: the file it is in.
        has_daemon: daemon-config.json is merged into it.
    """
    fields = Fields(conf, f"the config file {path}")
    lacks_daemon = conf.get("type") == THICK and not has_daemon
    bare = MultusSettings(path.name, tuple(sorted(conf)), lacks_daemon)
    try:
        return _read(fields, conf, path, bare)
    except PlanesError as error:
        return replace(bare, fault=str(error))


def _read(fields: Fields, conf: JsonObject, path: Path, bare: MultusSettings) -> MultusSettings:
    has_network = bool(fields.string("clusterNetwork"))
    listed = fields.string("globalNamespaces")
    system = fields.strings("systemNamespaces")
    shared = tuple(name.strip() for name in listed.split(",")) if listed else ()
    networks = fields.strings("defaultNetworks") if has_network else ()
    raw = [] if has_network else fields.objects("delegates")[1:]
    for key, count, most in (
        ("globalNamespaces", len(shared), _MOST_NAMESPACES),
        ("systemNamespaces", len(system), _MOST_NAMESPACES),
        ("defaultNetworks", len(networks), MOST_NETWORKS),
        ("delegates", len(raw), MOST_NETWORKS),
    ):
        if count > most:
            raise fields.bad(key, f"has {count} elements: {most} are the most")
    return replace(
        bare,
        isolates=fields.boolean("namespaceIsolation"),
        global_namespaces=frozenset(shared) if shared else _GLOBAL,
        delegates=tuple(_further(one, conf, f"{path}: delegates") for one in raw),
        networks=networks,
        system_namespaces=frozenset(system) if system else frozenset({MULTUS_NAMESPACE}),
        namespace=fields.string("multusNamespace") or MULTUS_NAMESPACE,
        conf_dir=_path(fields, "confDir"),
        bin_dir=_path(fields, "binDir"),
        cache_dir=_path(fields, "cniDir"),
        readiness_file=_path(fields, "readinessindicatorfile"),
    )


def _further(one: JsonObject, conf: Mapping[str, Any], what: str) -> ConfList:
    version = one.get("cniVersion") or conf.get("cniVersion") or CURRENT
    given = {"cniVersion": version, **one}
    if any(is_ours(kind) for kind in types_of(given)):
        raise BadInput(f"cannot use {what}: one after the first would call us again")
    return parse_conflist(given, what=what)


def _path(fields: Fields, key: str) -> str:
    """Read an absolute path.

    Raises:
        BadInput: it is relative; Multus would resolve it in its working directory.
    """
    path = fields.string(key)
    if path and (not path.startswith("/") or "\0" in path or len(path) > _LONGEST_PATH):
        raise fields.bad(key, "must be an absolute path")
    return path
