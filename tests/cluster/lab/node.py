"""One node: kubelet, containerd and runc in an enclosure; to the programs on it, it is a host.

What would be on a node's disk is below `folder` and stays through a reboot; the rest does not.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

from tests.cluster.apiserver import ApiServer
from tests.cluster.lab import binaries, cgroups
from tests.cluster.lab.enclosure import Enclosure, RunError
from tests.cluster.lab.images import PAUSE
from tests.cluster.lab.process import Process

SEGMENTS = {"eth0": "mgmt", "eth1": "biz", "eth2": "sto"}
_BOOT = Path(__file__).with_name("boot-node.sh")
_CONF_DIR = "etc/cni/net.d"


class Node:
    """A node of a cluster, by number from 1."""

    def __init__(
        self, number: int, of: int, folder: Path, cluster: Enclosure, server: ApiServer
    ) -> None:
        self.number = number
        self.name = f"node{number}"
        self.address = f"172.30.0.1{number}"
        self.folder = folder
        self._of = of
        self._groups = f"/{folder.parent.name}/{self.name}"
        self._cluster = cluster
        self._server = server
        boot = (str(_BOOT), str(folder), self.name, str(binaries.folder().resolve()))
        self.inside = Enclosure(self.name, boot, folder, cluster)
        self._containerd: Process | None = None
        self.kubelet: Process | None = None

    def disk(self, path: str) -> Path:
        """Return where a path below /etc, /opt, /var/lib or /var/log of the node is here."""
        return self.folder / path.lstrip("/").replace("var/", "var-", 1)

    def install(self) -> None:
        """Make the node's disk: a copy of /etc, the reference plugins, the cluster network."""
        for place in ("opt/cni/bin", "var-lib", "var-log", "cgroup"):
            (self.folder / place).mkdir(parents=True)
        shutil.copytree("/etc", self.folder / "etc", symlinks=True)
        for kept in (self.folder / "etc" / "cni", self.folder / "etc" / "containerd"):
            shutil.rmtree(kept, ignore_errors=True)
        (self.folder / _CONF_DIR).mkdir(parents=True)
        for plugin in Path("/usr/lib/cni").iterdir():
            shutil.copy(plugin, self.folder / "opt/cni/bin")
        (self.folder / _CONF_DIR / "10-lab.conflist").write_text(self._cluster_network())
        (self.folder / "etc" / "containerd.toml").write_text(_CONTAINERD)
        (self.folder / "etc" / "kubelet.yaml").write_text(
            json.dumps({**_KUBELET, "cgroupRoot": self._groups})
        )
        token = self._server.token(f"system:node:{self.name}")
        self._server.write_kubeconfig(self.folder / "etc" / "kubelet.kubeconfig", token)

    def start(self) -> None:
        """Boot it: namespaces, links, containerd, kubelet."""
        cgroups.make(self._groups)
        self.inside.start()
        for interface, segment in SEGMENTS.items():
            outside = f"{self.name}-{interface}"
            link = ("type", "veth", "peer", "name", interface, "netns", str(self.inside.init))
            self._cluster.ip("link", "add", outside, *link)
            self._cluster.ip("link", "set", outside, "master", segment, "up")
            self.inside.ip("link", "set", interface, "up")
        self._route()
        self.start_containerd()
        self.start_kubelet()

    def stop(self) -> None:
        """Switch it off."""
        self.inside.stop()
        for process in (self.kubelet, self._containerd):
            if process is not None:
                process.kill()
        self.kubelet = self._containerd = None
        # The kernel takes its time with the links of a dead namespace.
        for interface in SEGMENTS:
            with contextlib.suppress(RunError):
                self._cluster.ip("link", "del", f"{self.name}-{interface}")
        # And a rebooted machine has no control groups of before.
        cgroups.remove(self._groups)

    def unplug(self, interface: str) -> None:
        """Pull the cable of an interface; without eth0 nothing of the node reaches the cluster."""
        self._cluster.ip("link", "set", f"{self.name}-{interface}", "down")

    def plug(self, interface: str) -> None:
        """Put the cable in again."""
        self._cluster.ip("link", "set", f"{self.name}-{interface}", "up")

    def start_containerd(self) -> None:
        """Start containerd, and load the pause image where it is new."""
        self._containerd = self._process("containerd", "containerd", "-c", "/etc/containerd.toml")
        self._containerd.start()
        self._containerd.wait_until(self._containerd_answers, seconds=30)

    def start_kubelet(self) -> None:
        """Start the kubelet; whether the node becomes Ready is the cluster's to see."""
        self.kubelet = self._process(
            "kubelet",
            "/run/lab/kubelet",
            "--config=/etc/kubelet.yaml",
            "--kubeconfig=/etc/kubelet.kubeconfig",
            f"--hostname-override={self.name}",
            f"--node-ip={self.address}",
            "--v=2",
        )
        self.kubelet.start()

    def stop_kubelet(self) -> None:
        """Stop the kubelet; containers run on."""
        assert self.kubelet is not None
        self.kubelet.stop()
        self.kubelet = None

    def load(self, image: Path) -> None:
        """Import an image from a tar file below /var/tmp."""
        self.run("ctr", "-n", "k8s.io", "images", "import", str(image), seconds=120)

    def run(self, *argv: str, text: str = "", seconds: float = 60.0) -> str:
        """Run a command on the node; return its output."""
        return self.inside.run(*argv, text=text, seconds=seconds)

    def _process(self, name: str, *argv: str) -> Process:
        log = self.folder.parent / "log" / f"{name}-{self.name}"
        return Process(f"{name} on {self.name}", self.inside.entering(*argv), log)

    def _containerd_answers(self) -> bool:
        try:
            self.run("ctr", "version")
        except RunError:
            return False
        return True

    def _route(self) -> None:
        self.inside.ip("addr", "add", f"{self.address}/24", "dev", "eth0")
        self.inside.ip("route", "add", "default", "via", "172.30.0.1")
        for other in range(1, self._of + 1):
            if other != self.number:
                via = ("via", f"172.30.0.1{other}")
                self.inside.ip("route", "add", f"10.244.{other}.0/24", *via)
        back = ("via", self.address, "dev", "mgmt")
        self._cluster.ip("route", "replace", f"10.244.{self.number}.0/24", *back)
        target = f"172.30.0.1:{self._server.port}"
        rule = f"ip daddr 10.96.0.1 tcp dport 443 dnat to {target};"
        # The API server's service address, without kube-proxy.
        self.run("nft", "-f", "-", text=_SERVICE.replace("RULE", rule))

    def _cluster_network(self) -> str:
        subnet = f"10.244.{self.number}.0/24"
        ipam = {
            "type": "host-local",
            "ranges": [[{"subnet": subnet}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        }
        bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True}
        ports = {"type": "portmap", "capabilities": {"portMappings": True}}
        plugins = [{**bridge, "ipam": ipam}, ports]
        return json.dumps({"cniVersion": "1.0.0", "name": "cbr0", "plugins": plugins}, indent=1)


_SERVICE = """
table ip lab {
  chain output { type nat hook output priority -100; RULE }
  chain prerouting { type nat hook prerouting priority -100; RULE }
}
"""

# restrict_oom_score_adj: raising a score back needs CAP_SYS_RESOURCE, which a container lacks.
_CONTAINERD = f"""
version = 2
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = "{PAUSE}"
"""

_KUBELET = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    "failCgroupV1": False,
    "cgroupDriver": "cgroupfs",
    "enforceNodeAllocatable": [],
    "oomScoreAdj": 0,
    "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
    "authorization": {"mode": "AlwaysAllow"},
    "failSwapOn": False,
    "readOnlyPort": 0,
    "maxPods": 250,
    "clusterDNS": ["10.96.0.10"],
    "clusterDomain": "cluster.local",
    "evictionHard": {
        "memory.available": "1Mi",
        "nodefs.available": "1%",
        "imagefs.available": "1%",
    },
    "imageGCHighThresholdPercent": 100,
    "imageGCLowThresholdPercent": 99,
    "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
    "kubeAPIQPS": 50,
    "kubeAPIBurst": 100,
}
