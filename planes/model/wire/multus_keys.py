"""The settings of a Multus file, and how Netplane follows each (Multus 4.3.0, pkg/types).

Keys are folded to one case, for Go matches them without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

STANDARD: Final = frozenset(
    {"name", "type", "cniversion", "cniversions", "plugins", "dns", "prevresult", "runtimeconfig"}
)
FOLLOWED: Final[Mapping[str, str]] = {
    "clusternetwork": "it is the default network",
    "delegates": "the first is the default network, every pod gets the others",
    "defaultnetworks": "pods outside systemNamespaces get them after the default network",
    "systemnamespaces": "their pods get no defaultNetworks",
    "multusnamespace": "NADs of clusterNetwork and defaultNetworks are looked for there",
    "namespaceisolation": "pods that name a NAD of another namespace are refused on this node",
    "globalnamespaces": "under isolation their NADs serve everybody",
    "confdir": "files of NADs without spec.config are looked for there first",
    "bindir": "plugins are looked up there first",
    "cnidir": "sandboxes of Multus are found there when they are deleted",
    "readinessindicatorfile": "an ADD waits for it, 45 s at most, and STATUS fails without it",
    "capabilities": "those of the default network are declared",
    "retrydeleteonerror": "a DEL that fails is kept and tried again in any case",
}
IDLE: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("multusconfigfile", "multusautoconfigdir", "multusmastercni", "cniconfigdir"),
        "says how Multus makes its file",
    ),
    **dict.fromkeys(("forcecniversion", "overridenetworkname"), "says how Multus makes its file"),
    **dict.fromkeys(
        ("kubeconfig", "pernodecertificate"), "the daemon uses its pod's service account"
    ),
    **dict.fromkeys(("socketdir", "daemonsocketdir"), "the shim asks NETPLANE_SOCKET"),
    "chrootdir": "plugins run in NETPLANE_HOST_ROOT",
    "logtostderr": "logs go to stderr",
    "enablepprof": "there is no such port",
}
NEEDED: Final[Mapping[str, str]] = {
    "auxiliarycnichainname": "not followed, its chain is not run: write it as a NAD, and name that "
    "in defaultNetworks or in the annotation of the pods",
    **dict.fromkeys(
        ("logfile", "logoptions"), "not followed, logs go to stderr: have the node keep them"
    ),
    "loglevel": "not followed: set NETPLANE_LOG_LEVEL",
    "metricsport": "not followed: set NETPLANE_METRICS",
    "connectionlimit": "not followed: set NETPLANE_MAX_IN_FLIGHT (32 where it is not set)",
}
UNKNOWN: Final = "not followed, for Netplane does not know it: see Multus' documentation"
NO_DAEMON_CONFIG: Final = (
    "daemon-config.json: not on this node; Multus' thick form has more settings there (ConfigMap "
    "multus-daemon-config): put it at multus.d/daemon-config.json in the CNI conf dir to have it "
    "followed"
)
