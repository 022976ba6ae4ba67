"""Three nodes beside the shared cluster, lost in three ways at once: slow clocks run together.

Kubernetes takes 40 to 50 seconds to see that a node is not ready, and 40 to 60 more to delete the
pods of a deleted Node.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from planes.kube.addresses.node_look import OUT_OF_SERVICE_TAINT
from tests.cluster.apiserver import KubectlError
from tests.cluster.lab.cluster import Cluster
from tests.cluster.lab.images import BUSYBOX
from tests.cluster.netplane import DAEMON, STATIC_IPS, STATUS, Netplane, Workspace, address
from tests.cluster.workloads import pod, single
from tests.support.planes import plane_object

STAYS: Final = "node1"
SETS: Final = {
    "shut": "10.71.0.130",
    "forced": "10.71.0.131",
    "deleted": "10.71.0.132",
    "cut": "10.71.0.133",
}
"""StatefulSets by the loss of their node, each with the address that its pod has."""
_STATIC_BLOCK: Final = "homes.static.10-71-0-128-26"
_REPLY: Final = re.compile(r"reply from [0-9.]+ \[([0-9a-fA-F:]+)\]")


@contextmanager
def planes(cluster: Cluster, *objects: dict[str, Any]) -> Iterator[None]:
    """Have planes; what they handed out is not waited for when they go."""
    names = [one["metadata"]["name"] for one in objects]
    cluster.server.apply(*objects)
    try:
        for name in names:
            cluster.kubectl("wait", "plane", name, "--for=condition=Accepted", "--timeout=20s")
        yield
    finally:
        orphan = json.dumps({"spec": {"deletionPolicy": "Orphan"}})
        for name in names:
            with suppress(KubectlError):
                cluster.kubectl("patch", "plane", name, "--type=merge", "-p", orphan)
            cluster.kubectl("delete", "plane", name, "--timeout=30s", "--ignore-not-found")


class LostNodes:
    """The nodes, what runs on them, and what became of it.

    Attributes:
        homes: the namespace of the StatefulSets.
        leaving: the namespace of pods with dynamic addresses, in a plane of six.
        since: when the loss of a node was stated, by the StatefulSet (time of day).
        first: the UIDs of their pods before that.
        had: the dynamic addresses of the pods of the node that is deleted.
    """

    def __init__(self, netplane: Netplane) -> None:
        self._netplane = netplane
        self.cluster = netplane.cluster
        self.homes = Workspace(self.cluster, "homes")
        self.leaving = Workspace(self.cluster, "leaving")
        self.since: dict[str, datetime.datetime] = {}
        self.first: dict[str, str] = {}
        self.had: set[str] = set()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Have the nodes, with pods on them; at the end nothing of it is left."""
        nodes = self.cluster.add_nodes(3)
        self.shut, self.gone, self.cut = nodes
        try:
            self._netplane.rollout(DAEMON)
            with planes(self.cluster, *_planes()):
                try:
                    self._start()
                    yield
                finally:
                    self.homes.delete()
                    self.leaving.delete()
        finally:
            self.cluster.remove_nodes(nodes)
            self._netplane.wait_for_rollouts()

    def _start(self) -> None:
        self.homes.create({"homes": "required"})
        self.leaving.create({"leaving": "required"})
        homes = {"shut": self.shut, "forced": self.gone, "deleted": self.gone, "cut": self.cut}
        for name, node in homes.items():
            wish = {STATIC_IPS: json.dumps({"homes": [SETS[name]]})}
            self.homes.apply(
                single(name, annotations=wish, prefers=node.name, otherwise=STAYS, needs=("net1",))
            )
        self.homes.apply(_prober(SETS["cut"]))
        had = [f"had-{number}" for number in range(3)]
        self.leaving.apply(*(pod(one, node=self.gone.name, needs=("net1",)) for one in had))
        for name, node in homes.items():
            self.homes.kubectl("rollout", "status", f"statefulset/{name}", "--timeout=60s")
            found = self.pod(name)
            assert found["spec"]["nodeName"] == node.name
            self.first[name] = found["metadata"]["uid"]
        self.homes.wait_ready("prober")
        self.leaving.wait_ready(*had)
        self.had = {address(self.leaving.networks(one), "net1") for one in had}

    def lose(self) -> None:
        """Switch two nodes off, and pull the cable of the third one to the control plane."""
        # Until they are not ready, other pods would be placed on them.
        self.cluster.kubectl("cordon", self.shut.name, self.gone.name, self.cut.name)
        self.shut.stop()
        self.gone.stop()
        self.cut.unplug("eth0")
        # Three have the other block, three wait.
        rest = [f"wants-{number}" for number in range(6)]
        self.leaving.apply(*(pod(one, node=STAYS, needs=("net1",)) for one in rest))

    def state(self) -> None:
        """Wait until they are not ready, then state what became of them.

        The pod of the node that is cut off is deleted by force.
        """
        nodes = (self.shut, self.gone, self.cut)
        self.cluster.wait_for(
            "all three not Ready",
            lambda: not any(map(self.cluster.is_ready, nodes)),
            seconds=120,
        )
        now = ("--force", "--grace-period=0", "--wait=false")
        self.homes.kubectl("delete", "pod", "cut-0", *now)
        self.since["cut"] = _now()
        taint = f"{OUT_OF_SERVICE_TAINT}=nodeshutdown:NoExecute"
        self.cluster.kubectl("taint", "node", self.shut.name, taint)
        self.since["shut"] = _now()
        self.cluster.kubectl("delete", "node", self.gone.name)
        self.since["forced"] = self.since["deleted"] = _now()
        self.homes.kubectl("delete", "pod", "forced-0", *now)

    def mend(self) -> None:
        """Put the cable in again, and switch on the node that was out of service."""
        self.cut.plug("eth0")
        self.cluster.kubectl("taint", "node", self.shut.name, f"{OUT_OF_SERVICE_TAINT}-")
        self.shut.start()
        nodes = (self.cut, self.shut)
        self.cluster.wait_for(
            "both Ready", lambda: all(map(self.cluster.is_ready, nodes)), seconds=90
        )
        self._netplane.rollout(DAEMON)

    def pod(self, name: str) -> dict[str, Any]:
        """Return the pod of a StatefulSet."""
        found: dict[str, Any] = self.homes.get("pod", f"{name}-0")
        return found

    def moved_after(self, name: str, *, seconds: float) -> float:
        """Wait for the replacement of a StatefulSet's pod; return after how long it was ready.

        The time runs from when the loss of its node was stated, in steps of a second.
        """
        found: dict[str, Any] = {}

        def is_moved() -> bool:
            found.update(self.pod(name))
            return found["metadata"]["uid"] != self.first[name] and bool(_ready_at(found))

        end = self.since[name] + datetime.timedelta(seconds=seconds)
        left = (end - _now()).total_seconds()
        self.cluster.wait_for(f"{name} on {STAYS}", is_moved, seconds=max(left, 1))
        assert found["spec"]["nodeName"] == STAYS
        (net1,) = [one for one in _networks(found) if one["interface"] == "net1"]
        assert net1["ips"] == [SETS[name]]
        passed = (_ready_at(found)[0] - self.since[name]).total_seconds()
        assert passed <= seconds
        return passed

    def holder(self, name: str) -> str:
        """Return the node that holds the address of a StatefulSet's pod."""
        block = self.cluster.server.get("ipb", _STATIC_BLOCK)
        return str(block["holders"].get(SETS[name], "")).partition("|")[0]

    def mac(self, name: str) -> str:
        """Return the MAC of the plane's interface of a StatefulSet's pod."""
        (net1,) = [one for one in _networks(self.pod(name)) if one["interface"] == "net1"]
        return str(net1["mac"]).lower()

    def answers(self) -> list[str]:
        """Return the MACs that answered for the address of the pod that is cut off, in order."""
        return [mac.lower() for mac in _REPLY.findall(self.homes.kubectl("logs", "prober"))]

    def why_waiting(self, name: str) -> list[str]:
        """Return why sandboxes of a StatefulSet's pod failed."""
        return self.homes.messages("FailedCreatePodSandBox", f"{name}-0")


def _planes() -> list[dict[str, Any]]:
    homes = {"cidr": "10.71.0.0/24", "staticRanges": ["10.71.0.128/25"]}
    ipam = {"mode": "Plane"}
    allow = {"allow": "Any", "perOrdinal": True}
    leaving = [{"cidr": "10.72.0.0/29"}]
    return [
        plane_object("homes", subnets=[homes], ipam=ipam, staticIPs=allow),
        plane_object("leaving", subnets=leaving, ipam={**ipam, "blockSize": 30}),
    ]


def _prober(target: str) -> dict[str, Any]:
    """A pod on the node that stays, which asks the wire for an address, again and again."""
    found = pod("prober", node=STAYS)
    loop = f"while :; do arping -c 1 -w 1 -I net1 {target}; done"
    found["spec"]["containers"][0] = {
        "name": "main",
        "image": BUSYBOX,
        "command": ["sh", "-c", loop],
    }
    return found


def _networks(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    text = found["metadata"].get("annotations", {}).get(STATUS, "[]")
    networks: list[dict[str, Any]] = json.loads(text)
    return networks


def _ready_at(found: Mapping[str, Any]) -> list[datetime.datetime]:
    return [
        datetime.datetime.fromisoformat(one["lastTransitionTime"])
        for one in found["status"].get("conditions", [])
        if (one["type"], one["status"]) == ("Ready", "True")
    ]


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
