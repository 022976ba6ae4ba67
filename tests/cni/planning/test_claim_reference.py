"""The node has the addresses of a pod's claim from its address book, within the quota."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from planes.model.errors import Denied
from planes.model.names import STATIC_IPS_ANNOTATION
from planes.model.objects import Namespace, Pod
from planes.store.protocol import ClaimReference
from tests.cni.runtime_scene import bench
from tests.support.address_book import FakeAddressBook
from tests.support.cni.runtime import NOTHING, Bench
from tests.support.planes import make_plane
from tests.support.store import FakeStore

SHOP = Namespace("shop", {"plane.netplane.io/business": "enabled"})
SUBNET = {"cidr": "10.9.0.0/24", "staticRanges": ["10.9.0.200-10.9.0.215"]}


async def node(root: Path, lists: str = "", **spec: Any) -> tuple[Bench, FakeAddressBook]:
    spec = {"subnets": [SUBNET], "ipam": {"lifecycle": "Persistent"}, **spec}
    plane = make_plane("business", **spec)
    element = {"name": "business", "namespace": "netplane-system", "ipam-claim-reference": "vm.net"}
    annotations = {"k8s.v1.cni.cncf.io/networks": json.dumps([element])}
    annotations |= {STATIC_IPS_ANNOTATION: lists} if lists else {}
    pod = Pod("shop", "web", uid="u1", annotations=annotations)
    store = FakeStore(planes=[plane], namespaces=[SHOP], pods=[pod])
    made = await bench(root, store)
    assert isinstance(store.addresses, FakeAddressBook)
    return made, store.addresses


@pytest.mark.parametrize(
    ("quota", "most"),
    [({}, 1024), ({"addressesPerNamespace": 9}, 9), ({"staticPerNamespace": 3}, 3)],
)
async def test_the_book_is_asked_for_the_addresses_of_the_claim(
    tmp_path: Path, quota: dict[str, int], most: int
) -> None:
    """With the names of the network and the quota."""
    made, book = await node(tmp_path, "", **({"quota": quota} if quota else {}))
    await made.call("ADD")
    assert book.references == [ClaimReference("vm.net", ("business",), most)]


async def test_a_claim_beside_decided_addresses_is_refused(tmp_path: Path) -> None:
    """A list of the pod's workload names some; nothing is left of the attempt."""
    lists = json.dumps({"business": ["10.9.0.201", "10.9.0.202"]})
    made, book = await node(tmp_path, lists, staticIPs={"allow": "Any", "perOrdinal": False})
    with pytest.raises(Denied, match=r"cannot (use IPAMClaim|keep addresses by a claim)"):
        await made.call("ADD")
    assert book.references == []
    assert made.leftovers() == NOTHING
