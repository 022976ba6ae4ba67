"""A node that runs as one of a cluster: its daemon asks an API server, inside the same namespace.

Nothing is faked but the kubelet: pods are created for the node, and the shim is called for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cni.confdir.files import FILE_NAME
from tests.cluster.apiserver import ApiServer
from tests.support.node.netns import Namespace
from tests.support.node.node import NAMESPACE, ROOT, LiveNode

JsonObject = dict[str, Any]
ACCOUNT = "netplane-cni"
SYSTEM = "netplane-system"


@dataclass
class ClusterNode(LiveNode):
    """A node of a cluster; its daemon may do only what its role says.

    Attributes:
        server: the API server.
        uids: the UIDs of the pods that were created, by name.
    """

    server: ApiServer | None = None
    uids: dict[str, str] = field(default_factory=dict)

    @property
    def api(self) -> ApiServer:
        assert self.server is not None
        return self.server

    @property
    def kubeconfig(self) -> Path:
        return self.home / "kubeconfig"

    @property
    def conflist(self) -> Path:
        """Our file in the conf dir."""
        return self.conf_dir / FILE_NAME

    def source(self) -> Sequence[str]:
        return "--kubeconfig", str(self.kubeconfig)

    def join(self, objects: Sequence[JsonObject]) -> None:
        """Install what the daemon needs in the cluster, and the objects of the tests."""
        base = ROOT / "manifests" / "base"
        for path in ("namespace/namespace.yaml", "cni/rbac.yaml"):
            self.api.kubectl("apply", "--server-side", "-f", str(base / path))
        self.api.kubectl("apply", "--server-side", "-k", str(base / "crds"))
        nads = ROOT / "manifests" / "nad-kind.yaml"
        self.api.kubectl("apply", "--server-side", "-f", str(nads))
        self.api.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=20s")
        self.api.apply(*[one for one in objects if one["kind"] == "Namespace"])
        self.api.apply(*[one for one in objects if one["kind"] != "Namespace"])
        token = self.api.service_account_token(SYSTEM, ACCOUNT)
        self.api.write_kubeconfig(self.kubeconfig, token)

    def put_pod(self, name: str, annotations: Mapping[str, str] | None = None) -> None:
        """Create a pod for this node, as if admission had been down."""
        pod = self.pod_object(name, annotations)
        del pod["metadata"]["uid"]
        pod["spec"]["nodeName"] = "node1"
        self.api.apply(pod)
        self.uids[name] = self.pod(name)["metadata"]["uid"]

    def remove_pod(self, name: str) -> None:
        """Delete a pod, as a kubelet does at the end."""
        self.api.kubectl(
            *("delete", "pod", name, "-n", NAMESPACE, "--grace-period=0", "--force"),
            *("--ignore-not-found", "--wait=false"),
        )

    def pod(self, name: str) -> JsonObject:
        """Return the pod as it is now."""
        found: JsonObject = self.api.get("pod", name, "-n", NAMESPACE)
        return found

    def env(
        self,
        verb: str,
        container_id: str,
        netns: Namespace | str = "",
        *,
        pod: str = "",
        **more: str,
    ) -> dict[str, str]:
        found = super().env(verb, container_id, netns, pod=pod, **more)
        if pod:
            uid = self.uids.get(pod, "gone")
            found["CNI_ARGS"] = found["CNI_ARGS"].replace(f"uid-{pod}", uid)
        return found
