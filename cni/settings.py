"""What can be set about the daemon: flags, `NETPLANE_…` variables and a file.

Invariant: whatever can be known to be wrong at start is told then, in one line that names the
setting; the daemon never starts half configured.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cni.data_dirs import DEFAULT
from planes.model.errors import BadInput
from planes.model.spec.nad_policy import NadPolicy
from planes.run.logs import LEVELS
from planes.run.nad_settings import NAD_OPTIONS, nad_policy
from planes.run.settings import CONFIG, Option, boolean, directories, endpoint, load

PROG: Final = "netplane-cni"


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(f"{text} is below 1")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number <= 3600:
        raise ValueError(f"{text} is not between 0 and 3600 seconds")
    return number


def _level(text: str) -> str:
    if text.lower() not in LEVELS:
        raise ValueError(f"{text!r} is none of {', '.join(LEVELS)}")
    return text.lower()


def _native(text: str) -> frozenset[str]:
    """Parse `{"bridge": false}` or `bridge=false,…` to the types that are not native."""
    if text.lstrip().startswith("{"):
        given = json.loads(text)
        if not all(isinstance(value, bool) for value in given.values()):
            raise ValueError("every type must be true or false")
    else:
        pairs = (piece.partition("=") for piece in text.split(",") if piece)
        given = {kind.strip(): boolean(value.strip()) for kind, _, value in pairs}
    return frozenset(kind for kind, is_native in given.items() if not is_native)


def _names(text: str) -> tuple[str, ...]:
    names = json.loads(text) if text.startswith("[") else text.split(",")
    return tuple(name.strip() for name in names if name.strip())


OPTIONS: Final = (
    Option("--standalone", None, "directory of manifests: planes, NADs, namespaces, pods"),
    Option("--kubeconfig", None, "how to reach the API server; default: as a pod of the cluster"),
    Option("--node", None, "name of this node; on one machine alone: its host name"),
    Option("--socket", "/run/netplane/cni.sock", "unix socket for the shim"),
    Option("--state-dir", "/var/lib/netplane", "journal, spool, status, events, addresses"),
    Option("--address-dir", None, "plane addresses, where daemons share them"),
    Option("--cni-conf-dir", "/etc/cni/net.d", "where the default network's config is"),
    Option(
        "--cni-bin-dir",
        "/opt/cni/bin:/usr/lib/cni",
        "plugin binaries, after the call's CNI_PATH",
        directories,
    ),
    Option(
        "--data-dirs",
        ":".join(DEFAULT),
        "directories below which host-local and flannel networks may keep their files (dataDir)",
        directories,
    ),
    Option("--host-root", "", "where the node's root is mounted: programs run with it as theirs"),
    Option(
        "--replace-multus",
        "false",
        "keep Multus' own CNI config set aside while we are installed",
        boolean,
        is_switch=True,
    ),
    Option("--metrics", None, "serve /metrics and /healthz there over plain HTTP", endpoint),
    Option(
        "--max-in-flight", "32", "most calls at work at once; as many DELs beside them", _positive
    ),
    Option("--call-deadline", "120", "seconds a call may take", _seconds),
    Option("--plugin-deadline", "90", "seconds a plugin binary may take", _seconds),
    Option("--native", "", "types to execute all the same, e.g. bridge=false", _native),
    Option(
        "--namespace-isolation",
        "false",
        "a NAD serves pods of its own namespace only",
        boolean,
        is_switch=True,
    ),
    Option("--global-namespaces", "default", "whose NADs serve everybody under isolation", _names),
    *NAD_OPTIONS,
    Option("--multus-cache", "/var/lib/cni/multus", "Multus' cniDir: its sandboxes are torn down"),
    Option("--log-level", "info", f"one of {', '.join(LEVELS)}", _level),
    CONFIG,
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The daemon's settings, checked.

    Attributes:
        standalone: the directory of manifests; None on a cluster.
        kubeconfig: how to reach the API server; None as a pod of the cluster does.
        nad_policy: what NADs of tenants may be; as the webhook has it.
        data_dirs: below which a netconf may have us keep files.
        host_root: the node's root directory as this process sees it, "" where it is its own.
    """

    standalone: Path | None
    kubeconfig: Path | None
    node: str
    socket: Path
    state_dir: Path
    address_dir: Path | None
    cni_conf_dir: Path
    cni_bin_dir: tuple[str, ...]
    data_dirs: tuple[str, ...]
    host_root: str
    replace_multus: bool
    metrics: tuple[str, int] | None
    max_in_flight: int
    call_deadline: float
    plugin_deadline: float
    not_native: frozenset[str]
    namespace_isolation: bool
    global_namespaces: tuple[str, ...]
    nad_policy: NadPolicy
    multus_cache: Path
    log_level: str

    @property
    def is_standalone(self) -> bool:
        """Tell whether a directory of manifests stands for the cluster."""
        return self.standalone is not None


def read_settings(argv: Sequence[str], env: Mapping[str, str]) -> Settings:
    """Read the settings.

    Raises:
        SystemExit: 2 after one line on stderr about a flag, variable or key; 0 after `--help`.
        BadInput: the manifests directory is missing, or on a cluster the node's name.
    """
    given = load(
        PROG, OPTIONS, argv, env, description="The Netplane node daemon: serves the CNI shim."
    )
    return settings_from(given)


def settings_from(given: Mapping[str, Any]) -> Settings:
    """Check loaded values against each other.

    Raises:
        BadInput: the manifests directory is missing, or on a cluster the node's name.
    """
    return Settings(
        standalone=_manifests(given),
        kubeconfig=Path(given["kubeconfig"]) if given["kubeconfig"] else None,
        node=_node(given),
        socket=Path(given["socket"]),
        state_dir=Path(given["state_dir"]),
        address_dir=Path(given["address_dir"]) if given["address_dir"] else None,
        cni_conf_dir=Path(given["cni_conf_dir"]),
        cni_bin_dir=given["cni_bin_dir"],
        data_dirs=given["data_dirs"],
        host_root=given["host_root"].rstrip("/"),
        replace_multus=given["replace_multus"],
        metrics=given["metrics"],
        max_in_flight=given["max_in_flight"],
        call_deadline=given["call_deadline"],
        plugin_deadline=given["plugin_deadline"],
        not_native=given["native"],
        namespace_isolation=given["namespace_isolation"],
        global_namespaces=given["global_namespaces"],
        nad_policy=nad_policy(given, is_standalone=given["standalone"] is not None),
        multus_cache=Path(given["multus_cache"]),
        log_level=given["log_level"],
    )


def _node(given: Mapping[str, Any]) -> str:
    if given["node"]:
        return str(given["node"])
    if given["standalone"] is not None:
        return platform.node()
    raise BadInput(
        "cannot start without the name of this node",
        remedy="set NETPLANE_NODE from the pod's spec.nodeName, or give --node; a single machine "
        "without a cluster wants --standalone DIR",
    )


def _manifests(given: Mapping[str, Any]) -> Path | None:
    if given["standalone"] is None:
        return None
    path = Path(given["standalone"])
    if not path.is_dir():
        raise BadInput(
            f"cannot read the manifests in {path}: it is no directory",
            remedy="make it, or correct --standalone",
        )
    return path


def option(flag: str) -> Option:
    """Give one of the daemon's options, for a command that has some of them."""
    return next(one for one in OPTIONS if one.flag == flag)
