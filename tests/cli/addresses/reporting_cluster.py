"""A cluster whose nodes report what they use of their blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planes.cli.reading.node_reports import DAEMON_PODS
from planes.cli.reading.place import Place
from planes.kube.addresses.holders import Holder, static_object
from planes.kube.addresses.ipblocks import NodeBlock
from planes.kube.resources import IPBLOCKS, PLANES, PODS
from planes.model.addresses import parse_address, parse_network
from planes.model.names import NETPLANE_NAMESPACE, PLANE_HEALTH_ANNOTATION
from planes.model.state.node_use import NodeUse
from planes.model.state.plane_health import encode_report
from planes.store.protocol import AddressOwner
from tests.cli.cluster_place import Place as Cluster
from tests.support.planes import plane_object

STATIC_PLANE: dict[str, Any] = {
    "subnets": [
        {
            "cidr": "10.9.0.0/24",
            "gateway": "10.9.0.1",
            "exclude": ["10.9.0.2-10.9.0.3"],
            "ranges": ["10.9.0.0-10.9.0.127"],
            "staticRanges": ["10.9.0.192-10.9.0.223"],
        }
    ],
    "staticIPs": {
        "allow": "Any",
        "reservations": [{"ip": "10.9.0.230", "namespace": "shop", "owner": "db"}],
    },
}
"""A plane with 124 addresses that are handed out, 32 static ones and a reservation."""


class ReportingCluster(Cluster):
    """A cluster, and what its nodes report."""

    @property
    def place(self) -> Place:
        """Where commands read it."""
        return Place(self.kube, self.clock, "the cluster")

    def plane(self, name: str = "business", **spec: Any) -> None:
        """Put a plane, without status."""
        obj = plane_object(name, **(spec or STATIC_PLANE))
        self.kube.remove_object(PLANES, name)
        self.kube.put_object(PLANES, obj)

    def status(self, *, generation: int = 1, name: str = "business", **counts: int) -> None:
        """Write a plane's status as the leader does."""
        obj = self.kube.object(PLANES, name)
        assert obj is not None
        obj["status"] = {"observedGeneration": generation, **counts}
        self.kube.put_object(PLANES, obj)

    def report(self, node: str, **uses: NodeUse) -> None:
        """Have a node report its use of planes."""
        key, _, value = DAEMON_PODS.partition("=")
        meta = {
            "name": f"netplane-cni-{node}",
            "namespace": NETPLANE_NAMESPACE,
            "labels": {key: value},
            "annotations": {PLANE_HEALTH_ANNOTATION: encode_report(node, {}, uses)},
        }
        spec = {"nodeName": node, "hostNetwork": True}
        self.kube.put_object(PODS, {"metadata": meta, "spec": spec})

    def lend(self, cidr: str, *spans: str, node: str = "n1", plane: str = "business") -> None:
        """Put a block that lends addresses."""
        obj = NodeBlock(plane, node, parse_network(cidr)).to_json()
        self.kube.put_object(IPBLOCKS, {**obj, "lent": list(spans)})

    def static_block(self, cidr: str, nodes: Mapping[str, str]) -> None:
        """Put a static block with holders; `nodes` has their nodes by address."""
        holders = {
            parse_address(address): Holder(
                AddressOwner("c1", "net1", "shop", f"pod-{number}", f"u{number}", node), 1_700_000
            )
            for number, (address, node) in enumerate(nodes.items())
        }
        self.kube.put_object(IPBLOCKS, static_object("business", parse_network(cidr), holders))

    def listed(self) -> set[tuple[str, str]]:
        """Return plural and namespace of what was listed."""
        return {(plural, space) for verb, plural, space, _ in self.kube.requests if verb == "list"}
