"""A plane that keeps addresses for workloads of namespace shop, and pods that name them."""

from __future__ import annotations

from typing import Any

from planes.model.decide.decision import Decision
from planes.model.errors import JsonObject
from planes.model.objects import Namespace, Pod
from planes.model.owners import WORKLOADS
from tests.support.planes import make_plane
from tests.support.store import FakeStore

MASTER = "system:serviceaccount:kube-system:"
STATEFUL = f"{MASTER}statefulset-controller"
RESERVED: JsonObject = {
    "staticIPs": {
        "allow": "Reserved",
        "reservations": [
            {"ip": "10.9.0.10", "namespace": "shop", "owner": "db", "ordinal": 0},
            {"ip": "10.9.0.11", "namespace": "shop", "ordinal": 1},
            {"ip": "10.9.0.12", "namespace": "shop", "owner": "web"},
            {"ip": "10.9.0.13", "namespace": "shop", "owner": "named"},
        ],
    }
}
JOINED = Namespace("shop", {"plane.netplane.io/business": "enabled"})
ELEMENT = '[{"name":"business","namespace":"netplane-system","ips":["%s"]}]'


def owner(kind: str = "StatefulSet", name: str = "db", uid: str = "u-db") -> JsonObject:
    group = WORKLOADS[kind].group if kind in WORKLOADS else "apps"
    return {
        "apiVersion": f"{group}/v1",
        "kind": kind,
        "name": name,
        "uid": uid,
        "controller": True,
    }


def pod_object(name: str = "db-0", *owners: JsonObject, ask: str = "", **meta: Any) -> JsonObject:
    metadata = {"name": name, "namespace": "shop", "ownerReferences": list(owners), **meta}
    if ask:
        metadata["annotations"] = {"k8s.v1.cni.cncf.io/networks": ELEMENT % ask}
    return {"metadata": metadata, "spec": {"containers": [{"name": "c", "image": "i"}]}}


def pod(name: str = "db-0", *owners: JsonObject, ask: str = "", **meta: Any) -> Pod:
    return Pod.from_object(pod_object(name, *owners, ask=ask, **meta))


def cluster() -> FakeStore:
    store = FakeStore(planes=[make_plane(**RESERVED)], namespaces=[JOINED])
    store.checks_owners = True
    return store


def addresses(decision: Decision) -> list[str]:
    return [address for one in decision.attachments for address in one.ips]
