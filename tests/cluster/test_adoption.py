"""Pools of whereabouts on a real API server: each node reads and holds what its own pods have."""

from __future__ import annotations

from collections.abc import AsyncIterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from planes.kube.addresses.address_book import KubeAddressBook
from planes.kube.client.access import connect
from planes.kube.client.client import Client
from planes.kube.store.foreign_addresses import ForeignAddresses
from planes.model.errors import Exhausted, Unavailable
from planes.run.clock import SystemClock
from planes.store.protocol import AddressOwner
from tests.cluster.apiserver import ApiServer
from tests.support.planes import make_plane

CRD = Path(__file__).parents[2] / "manifests/base/crds/ipblocks.yaml"
GROUP = "whereabouts.cni.cncf.io"
PLANE = make_plane(
    "adopting",
    subnets=[{"cidr": "10.77.0.0/28"}],
    ipam={"mode": "Plane", "blockSize": 30, "cooldownSeconds": 0},
)
X = ip_address("10.77.0.5")


def definition(plural: str, kind: str) -> dict[str, Any]:
    """Return a definition as whereabouts installs it, without the schema."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def pod(name: str, node: str) -> dict[str, Any]:
    container = {"name": "main", "image": "app"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "nodeName": node,
            "containers": [container],
            "automountServiceAccountToken": False,
        },
    }


@pytest.fixture
async def client(own_api_server: ApiServer) -> AsyncIterator[Client]:
    async with connect(own_api_server.kubeconfig(), user_agent="netplane-test/1") as made:
        yield made


def put_pods(server: ApiServer) -> None:
    """Serve blocks, and put a pod on each of two nodes."""
    server.kubectl("apply", "--server-side", "-f", str(CRD))
    server.apply(
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": "default"},
        },
        pod("web-0", "n1"),
        pod("web-1", "n2"),
    )


async def addresses_left(book: KubeAddressBook, node: str) -> set[Any]:
    found: set[Any] = set()
    while True:
        owner = AddressOwner(f"{node}-{len(found)}", "net1", node=node)
        try:
            (one,) = await book.claim(PLANE, owner)
        except (Exhausted, Unavailable):  # a node that was asked does not run here
            return found
        found.add(ip_address(one.address.partition("/")[0]))


async def test_a_pool_is_adopted_by_the_nodes_of_its_pods(
    own_api_server: ApiServer, client: Client, tmp_path: Path
) -> None:
    put_pods(own_api_server)
    assert await ForeignAddresses(client, "n1").facts() == ()
    own_api_server.apply(
        definition("ippools", "IPPool"),
        definition("overlappingrangeipreservations", "OverlappingRangeIPReservation"),
    )
    for name in ("ippools", "overlappingrangeipreservations"):
        own_api_server.kubectl("wait", "--for=condition=Established", f"crd/{name}.{GROUP}")
    allocations = {
        "5": {"id": "c5", "podref": "default/web-0", "ifname": "net1"},
        "9": {"id": "c9", "podref": "default/web-1", "ifname": "net1"},
        "11": {"id": "c11", "podref": "default/gone", "ifname": "net1"},
    }
    head = {"apiVersion": f"{GROUP}/v1alpha1", "metadata": {"namespace": "default"}}
    own_api_server.apply(
        {
            **head,
            "kind": "IPPool",
            "metadata": {"name": "10.77.0.0-28", "namespace": "default"},
            "spec": {"range": "10.77.0.0/28", "allocations": allocations},
        },
        {
            **head,
            "kind": "OverlappingRangeIPReservation",
            "metadata": {"name": "10.77.0.5", "namespace": "default"},
            "spec": {"podref": "default/web-0", "ifname": "net1"},
        },
    )
    facts = await ForeignAddresses(client, "n1").facts()
    assert {(str(fact.address), fact.user.pod, bool(fact.user.uid)) for fact in facts} == {
        ("10.77.0.5", "web-0", True)
    }
    clock = SystemClock()
    one, two = (KubeAddressBook(client, name, tmp_path / name, clock) for name in ("n1", "n2"))
    user = facts[0].user
    owner = AddressOwner("c5", "net1", user.namespace, user.pod, user.uid, "n1")
    assert await one.adopt(PLANE, owner, [X]) == {}
    left = await addresses_left(two, "n2") | await addresses_left(one, "n1")
    assert X not in left
    assert len(left) == 13
