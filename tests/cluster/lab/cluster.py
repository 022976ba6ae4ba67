"""A real Kubernetes cluster on this machine: a control plane and nodes, in an enclosure.

Every node has eth0 (172.30.0.1N, to the control plane at 172.30.0.1) and eth1 and eth2 without
addresses, each one Ethernet segment across the nodes, for planes to live on. Pods have addresses
of 10.244.N.0/24, routed between nodes; 10.96.0.1 is the API server. There is no kube-proxy.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.cluster.apiserver import ApiServer, KubectlError, Options
from tests.cluster.lab import cgroups, images
from tests.cluster.lab.binaries import program
from tests.cluster.lab.enclosure import Enclosure
from tests.cluster.lab.node import Node
from tests.cluster.lab.process import NotReadyError, Process

ADDRESS = "172.30.0.1"
_BOOT = Path(__file__).with_name("boot-cluster.sh")
# Not /tmp or /run: a node has those of its own, and must see the certificates and images.
_PLACE = Path("/var/tmp")
_PREFIX = "netplane-e2e-"
_SPARES = 3
"""Nodes that may be added: the API server reads who its users are when it starts."""
_LONG_AGO = datetime.datetime.fromtimestamp(0, datetime.UTC)


class Cluster:
    """Control plane and nodes; made by `running_cluster`."""

    def __init__(self, folder: Path, nodes: int) -> None:
        self.folder = folder
        self.inside = Enclosure("cluster", (str(_BOOT),), folder, None)
        self._count = nodes
        self._images: list[Path] = []
        self._programs: list[Process] = []
        self.nodes: list[Node] = []
        self.server: ApiServer

    def up(self) -> None:
        """Start everything; returns when every node is Ready.

        Raises:
            NotReadyError: A part did not come up.
        """
        self.inside.start()
        names = [f"node{number}" for number in range(1, self._count + _SPARES + 1)]
        users = {f"system:node:{name}": ("system:nodes",) for name in names}
        options = Options(
            users={"admin": ("system:masters",), "alice": (), "bob": (), **users},
            flags=(
                "--enable-aggregator-routing=true",
                "--kubelet-preferred-address-types=InternalIP",
                "--enable-admission-plugins=NodeRestriction",
            ),
            disabled_admission=(),
            address=ADDRESS,
            bind="0.0.0.0",  # noqa: S104 - of the enclosure's network
            entering=self.inside.entering_network(),
        )
        self.server = ApiServer(self.folder, options)
        self.server.start()
        self._start_controllers()
        (self.folder / "image").mkdir()
        self._images = [self.folder / "image" / f"{name}.tar" for name in ("pause", "busybox")]
        images.write_pause(self._images[0])
        images.write_busybox(self._images[1], program("busybox"))
        self.add_nodes(self._count)

    def down(self) -> None:
        """Stop everything and remove what was made."""
        for node in self.nodes:
            node.stop()
        for one in reversed(self._programs):
            one.kill()
        if hasattr(self, "server"):
            self.server.stop()
        self.inside.stop()

    def add_nodes(self, count: int) -> list[Node]:
        """Start nodes with all images that were loaded; returns when every node is Ready.

        Raises:
            NotReadyError: One did not come up.
        """
        added = []
        for number in range(len(self.nodes) + 1, len(self.nodes) + count + 1):
            folder = self.folder / f"node{number}"
            node = Node(number, self._count, folder, self.inside, self.server)
            self.nodes.append(node)
            added.append(node)
            node.install()
            node.start()
            for image in self._images:
                node.load(image)
        self.wait_for("all nodes Ready", self._all_ready, seconds=90)
        return added

    def remove_nodes(self, nodes: Sequence[Node]) -> None:
        """Switch off the nodes that were added last, and remove all that is known of them."""
        for node in reversed(nodes):
            node.stop()
            self.kubectl("delete", "node", node.name, "--ignore-not-found")
            pods = ("delete", "pod", "-A", f"--field-selector=spec.nodeName={node.name}")
            self.kubectl(*pods, "--force", "--grace-period=0", "--wait=false")
            assert self.nodes.pop() is node
            shutil.rmtree(node.folder, ignore_errors=True)

    def power_off(self) -> None:
        """Switch off all nodes and the control plane; disks and etcd keep what they have."""
        for node in self.nodes:
            node.stop()
        for one in self._programs:
            one.kill()
        self.server.stop()

    def power_on(self) -> None:
        """Switch on what was switched off; returns when every node is Ready again."""
        # A node that was away for seconds only still stands as Ready, by what it said before.
        since = _next_second()
        self.server.start()
        for one in self._programs:
            one.start()
        for node in self.nodes:
            node.start()
        self.wait_for("all nodes Ready", lambda: self._all_ready(since), seconds=90)

    def node(self, name: str) -> Node:
        """Return the node of that name."""
        return next(node for node in self.nodes if node.name == name)

    def load(self, image: Path) -> None:
        """Import an image on all nodes."""
        here = self.folder / "image" / image.name
        shutil.copy(image, here)
        self._images.append(here)
        for node in self.nodes:
            node.load(here)

    def kubectl(self, *argv: str, text: str = "", user: str = "admin", seconds: float = 60) -> str:
        """Run kubectl; see `ApiServer.kubectl`."""
        return self.server.kubectl(*argv, text=text, user=user, seconds=seconds)

    def wait_for(self, what: str, ready: Callable[[], object], *, seconds: float = 60) -> None:
        """Wait until a function gives something true; the API server may be away meanwhile.

        Raises:
            NotReadyError: It did not within the time.
        """
        end = time.monotonic() + seconds
        said = ""
        while True:
            try:
                if ready():
                    return
            except (KubectlError, AssertionError) as error:
                said = f": {error}"
            if time.monotonic() > end:
                raise NotReadyError(f"not in {seconds:g} s: {what}{said}")
            time.sleep(0.3)

    def reboot(self, node: Node) -> None:
        """Switch a node off and on at once; returns when it is Ready again."""
        node.stop()
        since = _next_second()
        node.start()
        self.wait_for(f"{node.name} Ready", lambda: self.is_ready(node, since), seconds=90)

    def is_ready(self, node: Node, since: datetime.datetime = _LONG_AGO) -> bool:
        """Report whether the node said that it is Ready, at a time or after."""
        for one in self.server.get("node", node.name)["status"].get("conditions", []):
            if one["type"] == "Ready" and one["status"] == "True":
                return datetime.datetime.fromisoformat(one["lastHeartbeatTime"]) >= since
        return False

    def collect_logs(self, target: Path) -> None:
        """Copy the logs of all parts and of all containers."""
        for source in (self.folder / "log", *(node.folder / "var-log" for node in self.nodes)):
            name = "parts" if source.name == "log" else source.parent.name
            with contextlib.suppress(OSError, shutil.Error):
                shutil.copytree(
                    source, target / name, ignore_dangling_symlinks=True, dirs_exist_ok=True
                )

    def _all_ready(self, since: datetime.datetime = _LONG_AGO) -> bool:
        return all(self.is_ready(node, since) for node in self.nodes)

    def _start_controllers(self) -> None:
        pki = self.folder / "pki"
        plain = (
            f"--kubeconfig={self.server.kubeconfig()}",
            "--leader-elect=false",
            "--secure-port=0",
        )
        manager = self.server.beside(
            "kube-controller-manager",
            program("kube-controller-manager"),
            *plain,
            f"--service-account-private-key-file={pki / 'sa.key'}",
            f"--root-ca-file={pki / 'ca.crt'}",
            f"--cluster-signing-cert-file={pki / 'ca.crt'}",
            f"--cluster-signing-key-file={pki / 'ca.key'}",
            "--controllers=*,-cloud-node-lifecycle,-service-lb-controller,-node-route-controller",
            "--allocate-node-cidrs=true",
            "--cluster-cidr=10.244.0.0/16",
            "--use-service-account-credentials=true",
        )
        scheduler = self.server.beside("kube-scheduler", program("kube-scheduler"), *plain)
        self._programs = [manager, scheduler]
        for one in self._programs:
            one.start()


def _next_second() -> datetime.datetime:
    """Wait for it: a heartbeat is told in whole seconds, and its next may be minutes away."""
    time.sleep(1 - time.time() % 1)
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


@contextlib.contextmanager
def running_cluster(nodes: int = 2) -> Iterator[Cluster]:
    """Run a cluster; nothing of it stays, and what a killed run left is removed first."""
    remove_leftovers()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_PLACE))
    folder.chmod(0o755)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cluster = Cluster(folder, nodes)
        try:
            cluster.up()
            yield cluster
        finally:
            cluster.down()
            _remove(folder)


def remove_leftovers() -> None:
    """Remove folders and cgroups of runs that were killed; their processes died with them."""
    for folder in _PLACE.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), (folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(folder)


def _remove(folder: Path) -> None:
    cgroups.remove(folder.name)
    shutil.rmtree(folder, ignore_errors=True)
