"""Places whose map tests look at: a small one as in the documents, and large clusters."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from planes.kube.resources import PLANES, PODS
from planes.model.addresses import parse_address
from planes.model.errors import JsonObject
from planes.model.names import NETWORKS_ANNOTATION, STATUS_ANNOTATION
from planes.model.objects import Pod
from planes.model.spec.plane import parse_plane
from planes.model.wire.status import NetworkStatus
from planes.store.directory import DirStore
from planes.store.protocol import AddressOwner
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube
from tests.support.planes import plane_object

BUSINESS = plane_object(
    "business",
    purpose="business traffic",
    order=1,
    network={"type": "macvlan", "master": "eth1", "mode": "bridge"},
    subnets=[
        {
            "cidr": "192.168.0.0/16",
            "gateway": "192.168.0.1",
            "ranges": ["192.168.10.1-192.168.99.255"],
            "staticRanges": ["192.168.100.0/24"],
        }
    ],
    staticIPs={
        "allow": "Any",
        "reservations": [{"ip": "192.168.100.40", "namespace": "shop", "owner": "ledger"}],
    },
)
STORAGE = plane_object(
    "storage",
    purpose="storage traffic",
    order=2,
    interface="storage0",
    network={"type": "macvlan", "master": "eth2", "mode": "bridge"},
    subnets=[
        {
            "cidr": "172.16.0.0/16",
            "gateway": "172.16.0.1",
            "ranges": ["172.16.1.10-172.16.1.200"],
            "exclude": ["172.16.1.100-172.16.1.109"],
        }
    ],
)
SHOP = (
    ("database-0", "node1", "10.244.1.5", ("192.168.100.10", True), "172.16.1.10"),
    ("database-1", "node2", "10.244.2.4", ("192.168.100.11", True), "172.16.1.11"),
    ("front-8sh9gqtvr2-5fppt", "node1", "10.244.1.6", ("192.168.10.6", False), ""),
    ("front-8sh9gqtvr2-m9r7q", "node2", "10.244.2.5", ("192.168.10.7", False), ""),
)


def status(name: str, interface: str, *ips: str, is_default: bool = False) -> JsonObject:
    """Return an element of a network-status."""
    return NetworkStatus(name, interface, ips, default=is_default).to_json()


def pod_object(
    namespace: str, name: str, node: str, *elements: JsonObject, **asked: Any
) -> JsonObject:
    """Return a pod that shows a network-status; `asked` are elements of its networks."""
    meta: dict[str, Any] = {"name": name, "namespace": namespace, "uid": f"uid-{namespace}-{name}"}
    meta["annotations"] = {STATUS_ANNOTATION: json.dumps(elements)}
    if asked:
        meta["annotations"][NETWORKS_ANNOTATION] = json.dumps(asked["networks"])
    spec = {"nodeName": node, "hostNetwork": False}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": spec,
        "status": {"phase": "Running"},
    }


def _shop_pods() -> list[tuple[JsonObject, list[tuple[str, str, str]]]]:
    """Return pods, and of each the plane, interface and address that it holds."""
    found = []
    for name, node, eth0, (business, is_asked), storage in SHOP:
        elements = [status("cbr0", "eth0", eth0, is_default=True)]
        elements.append(status("netplane-system/business", "net1", business))
        held = [("business", "net1", business)]
        if storage:
            elements.append(status("netplane-system/storage", "storage0", storage))
            held.append(("storage", "storage0", storage))
        more: dict[str, Any] = {}
        if is_asked:
            element = {"name": "business", "namespace": "netplane-system", "ips": [business]}
            more["networks"] = [element]
        found.append((pod_object("shop", name, node, *elements, **more), held))
    guest = pod_object(
        "guests", "guest", "node1", status("cbr0", "eth0", "10.244.1.7", is_default=True)
    )
    return [*found, (guest, [])]


def small_machine(home: Path) -> tuple[str, ...]:
    """Make manifests and state of one machine; return the options that name them."""
    manifests, state = home / "manifests", home / "state"
    manifests.mkdir(parents=True)
    book = DirStore(manifests, state, clock=FakeClock()).addresses
    planes = {"business": BUSINESS, "storage": STORAGE}
    for name, plane in planes.items():
        (manifests / f"{name}.json").write_text(json.dumps(plane))
    for obj, held in _shop_pods():
        pod = Pod.from_object(obj)
        (manifests / f"{pod.name}.json").write_text(json.dumps(obj))
        published = state / "status" / pod.namespace / f"{pod.name}.json"
        published.parent.mkdir(parents=True, exist_ok=True)
        published.write_text(obj["metadata"]["annotations"][STATUS_ANNOTATION])
        for on, interface, address in held:
            owner = AddressOwner(pod.uid, interface, pod.namespace, pod.name, pod.uid, pod.node)
            claim = book.claim(parse_plane(planes[on]), owner, wanted=[parse_address(address)])
            asyncio.run(claim)
    return ("--manifests", str(manifests), "--state-dir", str(state))


def large_cluster(pods: int, planes: int, *, nodes: int = 20) -> FakeKube:
    """Return a cluster where each pod is on several planes, every tenth on all of them."""
    kube = FakeKube()
    for number in range(planes):
        spec = {
            "order": number,
            "network": {"type": "macvlan", "master": f"eth{number + 1}"},
            "subnets": [{"cidr": f"10.{number + 1}.0.0/16", "gateway": f"10.{number + 1}.0.1"}],
        }
        kube.put_object(PLANES, plane_object(f"plane-{number:02}", **spec))
    for number in range(pods):
        on = range(planes) if number % 10 == 0 else range(number % planes, planes, 5)
        elements = [status("cbr0", "eth0", f"10.244.{number >> 8}.{number & 255}", is_default=True)]
        for count, plane in enumerate(on):
            ip = f"10.{plane + 1}.{1 + (number >> 8)}.{number & 255}"
            elements.append(status(f"netplane-system/plane-{plane:02}", f"net{count + 1}", ip))
        name, space = f"web-{number:04}", f"team-{number % 12:02}"
        kube.put_object(PODS, pod_object(space, name, f"node-{number % nodes:02}", *elements))
    return kube


def hostile_cluster() -> FakeKube:
    """Return a cluster whose tenants call everything as they like."""
    long = "9" * 60
    kube = FakeKube((PLANES, plane_object("a" * 60)), (PLANES, plane_object("b")))
    names = (
        "<script>alert(1)</script>",
        "\u202egnp.exe",
        "漢字の長い名前が続いて",
        "e\u0301" * 40,
        long,
        "mmmmw" * 8,
    )
    for number, name in enumerate(names):
        elements = [
            status(
                f"evil/{name}", "interface-000000"[:15], "fd00:1234:5678:9abc:def0:1234:5678:9abc"
            ),
            status(f"netplane-system/{'a' * 60}", "Wm" * 7, *[f"10.9.0.{i}" for i in range(9)]),
            status("netplane-system/b", "net1", "10.9.0.1", "10.9.0.2"),
            status("netplane-system/b", "net2", name[:40]),
            status("netplane-system/b", "net3"),
        ]
        node = "n" * 60 if number % 2 else name
        kube.put_object(PODS, pod_object("evil", f"{name}-{number}", node, *elements))
    return kube
