"""Short builders for planes, namespaces, pods and catalogs; manifests stay readable in tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from planes.model.decide.decision import Decision, decide
from planes.model.errors import JsonObject
from planes.model.names import (
    INJECTED_ANNOTATION,
    NETWORKS_ANNOTATION,
    PLANE_LABEL_PREFIX,
    STATIC_IPS_ANNOTATION,
)
from planes.model.objects import Nad, Namespace, Pod
from planes.model.patch import annotation_patch, apply
from planes.model.spec.plane import parse_plane
from planes.model.spec.plane_spec import JOINED, Plane
from planes.model.state.catalog import Catalog
from planes.model.state.claim_index import ClaimIndex
from planes.model.state.claims import claims_of

MACVLAN = {"type": "macvlan", "master": "eth1"}
SUBNET = {
    "cidr": "192.168.0.0/16",
    "gateway": "192.168.0.1",
    "ranges": ["192.168.10.0-192.168.99.255"],
    "staticRanges": ["192.168.100.0/24"],
}


def make_plane(name: str = "business", **spec: Any) -> Plane:
    """Make a macvlan plane that allows any static address; keywords replace spec fields."""
    return parse_plane(plane_object(name, **spec))


def plane_object(name: str = "business", **spec: Any) -> JsonObject:
    """Make the manifest of `make_plane`; a field given as None is left out."""
    full = {"network": MACVLAN, "subnets": [SUBNET], "staticIPs": {"allow": "Any"}, **spec}
    return {
        "apiVersion": "netplane.io/v1alpha1",
        "kind": "Plane",
        "metadata": {"name": name},
        "spec": {key: value for key, value in full.items() if value is not None},
    }


def make_namespace(name: str = "shop", /, **planes: str) -> Namespace:
    """Make a namespace; keywords are plane labels."""
    labels = {PLANE_LABEL_PREFIX + plane: value for plane, value in planes.items()}
    return Namespace.from_object({"metadata": {"name": name, "labels": labels}})


def pod_object(
    name: str = "web-0",
    *,
    namespace: str = "shop",
    networks: str | None = None,
    static: Mapping[str, Any] | None = None,
    annotations: Mapping[str, str] | None = None,
    **meta: Any,
) -> JsonObject:
    """Make a pod manifest."""
    found = dict(annotations or {})
    if networks is not None:
        found[NETWORKS_ANNOTATION] = networks
    if static is not None:
        found[STATIC_IPS_ANNOTATION] = orjson.dumps(static).decode()
    metadata: JsonObject = {"name": name, "namespace": namespace, **meta}
    if found:
        metadata["annotations"] = found
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}}


def replica(set_name: str, ordinal: int, **more: Any) -> JsonObject:
    """Make a pod of a StatefulSet."""
    owner = {"kind": "StatefulSet", "name": set_name, "controller": True}
    return pod_object(f"{set_name}-{ordinal}", ownerReferences=[owner], **more)


def claim_index(pods: Iterable[Pod], *, is_believed: bool = False) -> ClaimIndex:
    """Return an index of what pods claim."""
    claims = {pod.key: claims_of(pod, is_believed=is_believed) for pod in pods}
    return ClaimIndex().changed(claims)


def make_catalog(
    *planes: Plane, nads: Iterable[Nad] = (), pods: Iterable[JsonObject] = (), **options: Any
) -> Catalog:
    """Build a catalog; `pods` are those that exist already, with statuses their nodes wrote.

    Every namespace joined every plane, as far as claims of addresses are concerned.
    """
    claims = claim_index((Pod.from_object(pod) for pod in pods), is_believed=True)
    joined = {plane.label: JOINED for plane in planes}
    options.setdefault("namespace_of", lambda name: Namespace(name, joined))
    return Catalog.build(planes, nads, claims, **options)


def make_nad(name: str, namespace: str = "shop", config: Mapping[str, Any] | None = None) -> Nad:
    """Make a hand-written NAD, macvlan with host-local addresses unless told otherwise."""
    default = {
        "cniVersion": "0.3.1",
        "type": "bridge",
        "capabilities": {"ips": True},
        "ipam": {"type": "host-local", "subnet": "10.9.0.0/24"},
    }
    return Nad(namespace, name, orjson.dumps(default if config is None else config).decode())


def admit(pod: JsonObject, namespace: Namespace, catalog: Catalog) -> tuple[Decision, JsonObject]:
    """Decide on a pod and give it as it is after the patch."""
    decision = decide(Pod.from_object(pod), namespace, catalog)
    return decision, apply(annotation_patch(pod, decision.annotations), pod)


def networks_of(pod: JsonObject) -> list[JsonObject]:
    """Return the elements of a pod's JSON networks annotation."""
    found: list[JsonObject] = orjson.loads(pod["metadata"]["annotations"][NETWORKS_ANNOTATION])
    return found


def injected_of(pod: JsonObject) -> list[str]:
    """Return the planes that a pod's record names."""
    record = orjson.loads(pod["metadata"]["annotations"][INJECTED_ANNOTATION])
    return [entry["name"] for entry in record["planes"]]
