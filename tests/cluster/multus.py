"""Multus itself on a cluster of the tests: its own programs and manifests, in both of its forms.

Of two nodes the first has the thin form, one program that is run for each call, the second the
thick one with its daemon. Images and limits are ours; all else is as Multus' quick start has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from tests.cluster.lab import images
from tests.cluster.lab.binaries import folder
from tests.cluster.lab.cluster import Cluster
from tests.cluster.lab.node import Node

CONF_DIR: Final = "/etc/cni/net.d"
CACHE: Final = "/var/lib/cni/multus"
_IMAGE: Final = "docker.io/lab/multus:1"
_NAMESPACE: Final = "kube-system"
_KIND: Final = "crd/network-attachment-definitions.k8s.cni.cncf.io"
_PLACE: Final = "usr/src/multus-cni/bin"
_FILES: Final = {
    "thin_entrypoint": "thin_entrypoint",
    "install_multus": "install_multus",
    f"{_PLACE}/install_multus": "install_multus",
    f"{_PLACE}/multus": "multus",
    f"{_PLACE}/multus-daemon": "multus-daemon",
    f"{_PLACE}/multus-shim": "multus-shim",
    f"{_PLACE}/passthru": "passthru-cni",
}
_MANIFESTS: Final = {"thin": "multus-daemonset.yml", "thick": "multus-daemonset-thick.yml"}
_CONFIG: Final = {"thin": "00-multus.conflist", "thick": "00-multus.conf"}


def why_no_multus() -> str:
    """Return why Multus cannot run here; "" where it can."""
    if all((_built() / name).exists() for name in (*_FILES.values(), *_MANIFESTS.values())):
        return ""
    return "needs Multus: run scripts/multus-binaries (`make e2e` does)"


class Multus:
    """The installation on one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def load(self) -> None:
        """Bring its image to the nodes."""
        path = self.cluster.folder / "multus.tar"
        files = {to: _built() / name for to, name in _FILES.items()}
        # The daemon asks who it is.
        images.write(path, _IMAGE, [], {**files, "etc/passwd": Path("/etc/passwd")})
        self.cluster.load(path)

    def install(self) -> None:
        """Apply its manifests; returns when its pods run."""
        self.cluster.server.apply(*self._objects())
        self.cluster.kubectl("wait", "--for=condition=Established", _KIND, "--timeout=30s")
        for form in _MANIFESTS:
            argv = ("rollout", "status", f"daemonset/multus-{form}", "--timeout=60s")
            self.cluster.kubectl("-n", _NAMESPACE, *argv, seconds=70)

    def delete(self) -> None:
        """Delete its DaemonSets, as who moves away from it does; returns when its pods are gone."""
        names = [f"daemonset/multus-{form}" for form in _MANIFESTS]
        argv = ("delete", *names, "--cascade=foreground", "--timeout=60s")
        self.cluster.kubectl("-n", _NAMESPACE, *argv, seconds=70)

    def form(self, node: Node) -> str:
        """Return the form that a node has."""
        return "thin" if node is self.cluster.nodes[0] else "thick"

    def config(self, node: Node) -> Path:
        """Multus' own CNI config on a node; it need not be there."""
        return node.disk(f"{CONF_DIR}/{_CONFIG[self.form(node)]}")

    def _objects(self) -> Iterator[dict[str, Any]]:
        for form, manifest in _MANIFESTS.items():
            for one in yaml.safe_load_all((_built() / manifest).read_text()):
                if one["kind"] == "DaemonSet":
                    self._place(one, form)
                yield one

    def _place(self, daemonset: dict[str, Any], form: str) -> None:
        """Make a DaemonSet one of a form's node, with our image and without its small limits."""
        (node,) = [one.name for one in self.cluster.nodes if self.form(one) == form]
        label = {"name": f"multus-{form}"}
        daemonset["metadata"]["name"] = f"multus-{form}"
        daemonset["spec"]["selector"]["matchLabels"] = label
        template = daemonset["spec"]["template"]
        template["metadata"]["labels"] = label
        template["spec"]["nodeSelector"] = {"kubernetes.io/hostname": node}
        for container in (*template["spec"]["initContainers"], *template["spec"]["containers"]):
            container["image"] = _IMAGE
            container["resources"] = {}
            # An image of ours has no link from /var/run to /run.
            mounts = container["volumeMounts"]
            netns = [one for one in mounts if one["mountPath"] == "/run/netns"]
            mounts += [{**one, "mountPath": "/var/run/netns"} for one in netns]


def _built() -> Path:
    return folder() / "multus"
