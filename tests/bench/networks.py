"""The three networks of the pod benchmarks, and two ways to attach pods to them.

The default network is bridge + portmap; then come a macvlan and a bridge; all have host-local
addresses. `Daemon` is the shim and a real daemon process on a node. `References` runs the reference
binaries one after another, which is the least that any meta-plugin executes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from planes.cli.demo.programs import answers, python_module
from planes.model.errors import JsonObject
from planes.store.pod_files import PodFiles
from tests.bench.nodes import Node
from tests.bench.processes import ROOT, call, running
from tests.bench.table import SkippedError
from tests.support.node.netns import CNI_BIN_DIR, Namespace
from tests.support.planes import plane_object

VERSION = "1.0.0"
NAMESPACE = "bench"
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_NETCONF = json.dumps({"cniVersion": VERSION, "name": "netplane", "type": "netplane"}).encode()


def _ipam(folder: Path, subnet: str) -> JsonObject:
    return {"type": "host-local", "ranges": [[{"subnet": subnet}]], "dataDir": str(folder / "ips")}


def default_network(folder: Path, bridge: str) -> JsonObject:
    """Return the cluster network's conflist."""
    main = {
        "type": "bridge",
        "bridge": bridge,
        "isDefaultGateway": True,
        "hairpinMode": True,
        "ipam": _ipam(folder, "10.244.0.0/16"),
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"name": "cluster", "cniVersion": VERSION, "plugins": [main, portmap]}


def secondary_networks(folder: Path, bridge: str) -> dict[str, JsonObject]:
    """Return the other two by the interface they get."""
    head = {"cniVersion": VERSION}
    macvlan = {"type": "macvlan", "master": "eth1", "ipam": _ipam(folder, "10.9.0.0/16")}
    inner = {"type": "bridge", "bridge": bridge, "ipam": _ipam(folder, "10.10.0.0/16")}
    return {
        "net1": {**head, "name": "business", **macvlan},
        "net2": {**head, "name": "inner", **inner},
    }


class Daemon:
    """Pods of a daemon, attached and detached through the shim.

    Attributes:
        pid: the daemon's process.
    """

    def __init__(self, folder: Path, node: Node, pid: int) -> None:
        self._folder = folder
        self._node = node
        self.pid = pid

    def add(self, number: int) -> None:
        """Attach a pod."""
        self._call("ADD", number)

    def delete(self, number: int) -> None:
        """Detach a pod."""
        self._call("DEL", number)

    def _call(self, verb: str, number: int) -> None:
        env = {
            "CNI_COMMAND": verb,
            "CNI_CONTAINERID": f"ours{number}",
            "CNI_NETNS": self._node.sandboxes[number].path,
            "CNI_IFNAME": "eth0",
            "CNI_PATH": CNI_BIN_DIR,
            "CNI_ARGS": f"IgnoreUnknown=1;K8S_POD_NAMESPACE={NAMESPACE};K8S_POD_NAME=p{number}",
            "NETPLANE_SOCKET": str(self._folder / "cni.sock"),
            "NETPLANE_STATE_DIR": str(self._folder / "state"),
        }
        call([str(ROOT / "build" / "netplane")], env, _NETCONF)


@contextmanager
def daemon(folder: Path, node: Node) -> Iterator[Daemon]:
    """Make a daemon on a node, which knows one pod for each sandbox.

    The macvlan comes from a plane the pods' namespace joins, the bridge from their annotation.

    Raises:
        SkippedError: the shim is not built.
    """
    if not (ROOT / "build" / "netplane").is_file():
        raise SkippedError("build/netplane is missing: make setup")
    _write_manifests(folder, len(node.sandboxes))
    socket = folder / "cni.sock"
    command = python_module(
        *("cni", "--standalone", str(folder / "manifests"), "--node", "bench"),
        *("--socket", str(socket), "--state-dir", str(folder / "state")),
        *("--data-dirs", str(folder)),
        *("--cni-conf-dir", str(folder / "net.d"), "--cni-bin-dir", CNI_BIN_DIR),
    )
    inside = ["nsenter", f"--net={node.host.path}", "--", *command]
    with running(inside, folder / "daemon.log", answers(socket)) as process:
        yield Daemon(folder, node, process.pid)


def _write_manifests(folder: Path, pods: int) -> None:
    """Write planes, NADs, pods and the default network."""
    (folder / "net.d").mkdir(parents=True)
    conflist = default_network(folder, "br-a")
    (folder / "net.d" / "10-cluster.conflist").write_text(json.dumps(conflist))
    networks = secondary_networks(folder, "br-b")
    plane = plane_object(
        "business",
        network={"nadRef": {"namespace": NAMESPACE, "name": "business"}},
        subnets=[{"cidr": "10.9.0.0/16"}],
        ipam={"mode": "NAD"},
    )
    nads = [
        {
            "apiVersion": "k8s.cni.cncf.io/v1",
            "kind": "NetworkAttachmentDefinition",
            "metadata": {"name": conf["name"], "namespace": NAMESPACE},
            "spec": {"config": json.dumps(conf)},
        }
        for conf in networks.values()
    ]
    labels = {"plane.netplane.io/business": "enabled"}
    space = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": labels},
    }
    files = PodFiles(folder / "manifests")
    for number in range(pods):
        files.put(_pod(f"p{number}"))
    items = {"apiVersion": "v1", "kind": "List", "items": [plane, space, *nads]}
    (folder / "manifests" / "planes.json").write_text(json.dumps(items))


def _pod(name: str) -> JsonObject:
    annotations = {"k8s.v1.cni.cncf.io/networks": "inner@net2"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "annotations": annotations},
        "spec": {"containers": [{"name": "main", "image": "app"}], "nodeName": "bench"},
    }


class References:
    """Pods attached by the reference binaries; called by threads in the node's namespace."""

    def __init__(self, folder: Path, sandboxes: tuple[Namespace, ...]) -> None:
        self._sandboxes = sandboxes
        default = default_network(folder, "br-c")
        chain = default["plugins"]
        head = {"name": default["name"], "cniVersion": VERSION}
        networks = secondary_networks(folder, "br-d")
        self._steps: list[tuple[str, JsonObject]] = [("eth0", {**head, **one}) for one in chain]
        self._steps += list(networks.items())
        self._results: dict[tuple[int, str], Any] = {}

    def add(self, number: int) -> None:
        """Attach a pod."""
        for ifname, conf in self._steps:
            before = self._results.pop((number, ifname), None)
            given = {**conf, "prevResult": before} if before else conf
            said = self._call("ADD", number, ifname, given)
            self._results[number, ifname] = json.loads(said)

    def delete(self, number: int) -> None:
        """Detach a pod."""
        for ifname, conf in reversed(self._steps):
            before = self._results[number, ifname]
            self._call("DEL", number, ifname, {**conf, "prevResult": before})
        for ifname, _conf in self._steps:
            self._results.pop((number, ifname), None)

    def _call(self, verb: str, number: int, ifname: str, conf: Mapping[str, Any]) -> bytes:
        env = {
            "PATH": _PATH,
            "CNI_COMMAND": verb,
            "CNI_CONTAINERID": f"reference{number}",
            "CNI_NETNS": self._sandboxes[number].path,
            "CNI_IFNAME": ifname,
            "CNI_PATH": CNI_BIN_DIR,
        }
        return call([f"{CNI_BIN_DIR}/{conf['type']}"], env, json.dumps(conf).encode())
