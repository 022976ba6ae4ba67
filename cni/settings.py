"""The settings of the daemon, its commands and the shim: flags, `NETPLANE_…` variables, a file.

Light to import: every program of ours looks here for a variable that it does not know itself
(`planes.run.declared`, by the entry points in pyproject.toml).

Invariant: a wrong value is refused at start, in one line that names the setting; the daemon never
starts half configured.
"""

from __future__ import annotations

import platform
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cni.host.data_dirs import DEFAULT
from planes.model.errors import BadInput
from planes.model.spec.nad_policy import NadPolicy
from planes.run.logs import LEVELS
from planes.run.nad_settings import NAD_OPTIONS, nad_policy
from planes.run.settings import BOOLEANS, CONFIG, Option, boolean, directories, endpoint, load
from planes.run.values import from_json, level, seconds, texts, whole

PROG: Final = "netplane-cni"
_DESCRIPTION: Final = (
    "The Netplane node daemon: serves the CNI shim. Other commands: netplane-cni pending, "
    "netplane-cni forget, netplane-cni check-addresses, netplane-cni adopt, netplane-cni install, "
    "netplane-cni uninstall."
)


def _positive(text: str) -> int:
    return whole(text, 1)


@dataclass(frozen=True, slots=True)
class EveryType:
    """Contains every plugin type: `native: false` executes all of them."""

    def __contains__(self, kind: object) -> bool:
        """Return True."""
        return True


def _native(text: str) -> Container[str]:
    """Parse `false`, `{"bridge": false}` or `bridge=false,…`; return the types to execute."""
    if text.strip() and text.strip().lower() in BOOLEANS:
        return frozenset[str]() if boolean(text.strip()) else EveryType()
    if text.lstrip().startswith("{"):
        given = from_json(text)
        if not all(isinstance(value, bool) for value in given.values()):
            raise ValueError("every type must be true or false")
    else:
        pairs = (piece.partition("=") for piece in text.split(",") if piece)
        given = {kind.strip(): boolean(value.strip()) for kind, _, value in pairs}
    return frozenset(kind for kind, is_native in given.items() if not is_native)


OPTIONS: Final = (
    Option("--standalone", None, "directory of manifests: planes, NADs, namespaces, pods"),
    Option("--kubeconfig", None, "how to reach the API server; default: as a pod of the cluster"),
    Option("--node", None, "name of this node; on one machine alone: its host name"),
    Option(
        "--pod", "", "name of the daemon's own pod, which says how planes do; empty: nothing does"
    ),
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
        "--kubelet-dir",
        "/var/lib/kubelet",
        "the kubelet's directory on the node: it says which devices a pod was given",
    ),
    Option(
        "--device-info-dir",
        "/var/run/k8s.cni.cncf.io/devinfo",
        "device information files on the node, as device plugins and CNI plugins know them",
    ),
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
    Option("--call-deadline", "120", "seconds a call may take", seconds),
    Option("--plugin-deadline", "90", "seconds a plugin binary may take", seconds),
    Option(
        "--native", "", "types to execute all the same: false for all, or bridge=false", _native
    ),
    Option(
        "--namespace-isolation",
        "false",
        "a NAD serves pods of its own namespace only",
        boolean,
        is_switch=True,
    ),
    Option("--global-namespaces", "default", "whose NADs serve everybody under isolation", texts),
    *NAD_OPTIONS,
    Option(
        "--multus-conf-dir",
        None,
        "files of NADs without spec.config; default: confDir of Multus' file, or "
        "/etc/cni/multus/net.d",
    ),
    Option("--multus-cache", "/var/lib/cni/multus", "Multus' cniDir: its sandboxes are torn down"),
    Option("--log-level", "info", f"one of {', '.join(LEVELS)}", level),
    CONFIG,
)


def _option(flag: str) -> Option:
    return next(one for one in OPTIONS if one.flag == flag)


INSTALL_OPTIONS: Final = (
    Option("--shim", "/opt/netplane/bin/netplane", "the shim to install"),
    _option("--cni-bin-dir"),
    _option("--log-level"),
    CONFIG,
)

UNINSTALL_OPTIONS: Final = (
    *OPTIONS,
    Option(
        "--release",
        "false",
        "take the planes out of pods that still run, and drop what cannot be undone",
        boolean,
        is_switch=True,
    ),
)

PENDING_OPTIONS: Final = (_option("--state-dir"),)

ADDRESS_OPTIONS: Final = (_option("--socket"),)

NODE_OPTIONS: Final = tuple(
    _option(flag)
    for flag in (
        *("--socket", "--state-dir", "--address-dir", "--cni-conf-dir", "--cni-bin-dir"),
        *("--data-dirs", "--host-root", "--replace-multus", "--native"),
    )
)
"""What a diagnosis of a node has to know of its daemon."""

# The shim is no Python: it reads these itself, from the environment of the container runtime.
SHIM_OPTIONS: Final = (
    _option("--socket"),
    _option("--state-dir"),
    Option("--wait-seconds", None, "seconds that ADD waits for a daemon that is away"),
    Option("--answer-seconds", None, "seconds that a call waits for the daemon's answer"),
)

DECLARED: Final = (*INSTALL_OPTIONS, *UNINSTALL_OPTIONS, *SHIM_OPTIONS)


@dataclass(frozen=True, slots=True)
class Settings:
    """The daemon's settings, validated.

    Attributes:
        standalone: the directory of manifests; None on a cluster.
        kubeconfig: of the API server; None = in-cluster configuration.
        pod: name of the daemon's pod, in netplane-system; "" outside of a pod.
        nad_policy: which NADs tenants may have; the same as the webhook's.
        data_dirs: directories below which a netconf may have its `dataDir`.
        kubelet_dir: the kubelet's directory, as the node has it.
        device_info_dir: directory of device information files, as the node has it.
        host_root: the node's root directory as this process sees it, "" if it is /.
        multus_conf_dir: directory of the files of NADs without `spec.config`; "" = as Multus' file
            says.
    """

    standalone: Path | None
    kubeconfig: Path | None
    node: str
    pod: str
    socket: Path
    state_dir: Path
    address_dir: Path | None
    cni_conf_dir: Path
    cni_bin_dir: tuple[str, ...]
    data_dirs: tuple[str, ...]
    host_root: str
    kubelet_dir: str
    device_info_dir: str
    replace_multus: bool
    metrics: tuple[str, int] | None
    max_in_flight: int
    call_deadline: float
    plugin_deadline: float
    not_native: Container[str]
    namespace_isolation: bool
    global_namespaces: tuple[str, ...]
    nad_policy: NadPolicy
    multus_conf_dir: str
    multus_cache: Path
    log_level: str

    @property
    def is_standalone(self) -> bool:
        """Report whether manifests of a directory are used in place of a cluster."""
        return self.standalone is not None


def read_settings(argv: Sequence[str], env: Mapping[str, str]) -> Settings:
    """Read the settings.

    Raises:
        SystemExit: 2 after one line on stderr about a flag, variable or key; 0 after `--help`.
        BadInput: the manifests directory is missing, or on a cluster the node's name.
    """
    given = load(PROG, OPTIONS, argv, env, description=_DESCRIPTION)
    return settings_from(given)


def settings_from(given: Mapping[str, Any]) -> Settings:
    """Return the settings of loaded values, checked against each other.

    Raises:
        BadInput: the manifests directory is missing, or on a cluster the node's name.
    """
    return Settings(
        standalone=_manifests(given),
        kubeconfig=Path(given["kubeconfig"]) if given["kubeconfig"] else None,
        node=_node(given),
        pod=given["pod"],
        socket=Path(given["socket"]),
        state_dir=Path(given["state_dir"]),
        address_dir=Path(given["address_dir"]) if given["address_dir"] else None,
        cni_conf_dir=Path(given["cni_conf_dir"]),
        cni_bin_dir=given["cni_bin_dir"],
        data_dirs=given["data_dirs"],
        host_root=given["host_root"].rstrip("/"),
        kubelet_dir=given["kubelet_dir"].rstrip("/"),
        device_info_dir=given["device_info_dir"].rstrip("/"),
        replace_multus=given["replace_multus"],
        metrics=given["metrics"],
        max_in_flight=given["max_in_flight"],
        call_deadline=given["call_deadline"],
        plugin_deadline=given["plugin_deadline"],
        not_native=given["native"],
        namespace_isolation=given["namespace_isolation"],
        global_namespaces=given["global_namespaces"],
        nad_policy=nad_policy(given, is_standalone=given["standalone"] is not None),
        multus_conf_dir=given["multus_conf_dir"] or "",
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
