"""A cluster with one plane and two nodes, for tests of `netplane ip`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from planes.cli.addresses.cluster_check import check
from planes.cli.cluster_addresses import release
from planes.kube.addresses.holders import Holder, static_object
from planes.kube.addresses.ipblocks import NodeBlock
from planes.kube.resources import IPAM_CLAIMS, IPBLOCKS, PLANES, PODS
from planes.model.addresses import IPAddress, parse_address, parse_network
from planes.model.names import NETWORKS_ANNOTATION, STATUS_ANNOTATION
from planes.store.protocol import AddressOwner
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube
from tests.support.kube.nodes import put_node
from tests.support.planes import plane_object

A, B = "10.9.0.200", "10.9.0.201"
STATIC = "business.static.10-9-0-192-26"


class InstantClock(FakeClock):
    """A clock whose sleepers need not be woken.

    Attributes:
        meanwhile: called in each sleep.
    """

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], None] = lambda: None

    async def sleep(self, seconds: float) -> None:
        self.meanwhile()
        self.advance(seconds)


class Place:
    """A cluster with a plane and two nodes, n1 and n2, that are ready."""

    def __init__(self) -> None:
        self.clock = InstantClock()
        self.kube = FakeKube((PLANES, plane_object()), clock=self.clock)
        self.holders: dict[IPAddress, Holder] = {}
        for node in ("n1", "n2"):
            put_node(self.kube, node)

    def pod(self, name: str, *shown: str, node: str = "n1", claim: str = "") -> str:
        """Put a pod that shows addresses, and may name an IPAMClaim; return its UID."""
        status = [{"name": "netplane-system/business", "ips": list(shown)}]
        meta: dict[str, Any] = {"name": name, "namespace": "shop"}
        meta["annotations"] = {STATUS_ANNOTATION: json.dumps(status)} if shown else {}
        if claim:
            element = {"name": "business", "ipam-claim-reference": claim}
            meta["annotations"][NETWORKS_ANNOTATION] = json.dumps([element])
        spec = {"nodeName": node, "hostNetwork": False}
        pod = self.kube.put_object(
            PODS, {"metadata": meta, "spec": spec, "status": {"phase": "Running"}}
        )
        return str(pod["metadata"]["uid"])

    def hold(self, address: str, pod: str, uid: str = "gone", node: str = "n1") -> None:
        """Put a static holder."""
        who = AddressOwner("c1", "net1", "shop", pod, uid, node)
        self.holders[parse_address(address)] = Holder(who)
        obj = static_object("business", parse_network("10.9.0.192/26"), self.holders)
        self.kube.put_object(IPBLOCKS, obj)

    def claim(self, name: str, *ips: str, owner: str = "") -> str:
        """Put an IPAMClaim with a status, and maybe an owner; return its UID."""
        meta: dict[str, Any] = {"name": name, "namespace": "shop"}
        if owner:
            reference = {"apiVersion": "v1", "kind": "VirtualMachine", "name": owner, "uid": owner}
            meta["ownerReferences"] = [reference]
        spec = {"network": "business", "interface": "net1"}
        status = {"ips": [f"{ip}/24" for ip in ips], "ownerPod": ""} if ips else {}
        obj = self.kube.put_object(IPAM_CLAIMS, {"metadata": meta, "spec": spec, "status": status})
        return str(obj["metadata"]["uid"])

    def keep(self, address: str, claim: str, uid: str) -> None:
        """Have the static block keep an address for a claim."""
        obj = self.kube.object(IPBLOCKS, STATIC)
        if obj is None:
            obj = static_object("business", parse_network("10.9.0.192/26"), {})
        kept = {**obj.get("claims", {}), address: f"shop/{claim}/{uid}"}
        self.kube.put_object(IPBLOCKS, {**obj, "claims": kept})

    def kept(self) -> list[str]:
        """Return what the static block keeps."""
        obj = self.kube.object(IPBLOCKS, STATIC)
        return sorted((obj or {}).get("claims", {}))

    def block(self, cidr: str, node: str = "n1") -> None:
        """Put a block that a node hands out."""
        self.kube.put_object(IPBLOCKS, NodeBlock("business", node, parse_network(cidr)).to_json())

    async def found(self) -> set[tuple[str, str]]:
        """Check, and return kind and address or block of each entry."""
        entries = await check(self.kube, self.clock)
        return {(str(each.kind), each.what) for each in entries}

    async def release(self, node: str, *, is_dry_run: bool = False) -> tuple[list[str], list[str]]:
        """Release a node's addresses; return what was released and what stays."""
        stays: list[str] = []
        done = await release(self.kube, self.clock, node, is_dry_run=is_dry_run, told=stays.append)
        return [b.cidr for b in done.blocks] + [a for _, a in done.static], stays
