"""Objects of dynamic resource allocation, as driver, scheduler and kubelet leave them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planes.model.errors import JsonObject
from planes.model.state.claimed_devices import DEVICE_ID_ATTRIBUTE, RESOURCE_ATTRIBUTE

DRIVER = "nic.example.com"
POOL = "node-a"
NODE = "node-a"


def attributes(resource: str | None, device_id: str | None) -> JsonObject:
    """Return the attributes of a device; None leaves one out."""
    given = {RESOURCE_ATTRIBUTE: resource, DEVICE_ID_ATTRIBUTE: device_id}
    return {key: {"string": text} for key, text in given.items() if text is not None}


def slice_object(
    name: str,
    devices: Mapping[str, JsonObject],
    *,
    pool: str = POOL,
    generation: int = 1,
    node: str = NODE,
    driver: str = DRIVER,
) -> JsonObject:
    """Return a ResourceSlice: attributes by the device's name."""
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {"name": name},
        "spec": {
            "driver": driver,
            "nodeName": node,
            "pool": {"name": pool, "generation": generation, "resourceSliceCount": 1},
            "devices": [{"name": each, "attributes": of} for each, of in devices.items()],
        },
    }


def result(device: str, request: str = "nic", *, pool: str = POOL, **more: Any) -> JsonObject:
    """Return one result of an allocation."""
    return {"request": request, "driver": DRIVER, "pool": pool, "device": device, **more}


def claim_object(
    name: str, *results: JsonObject, uid: str, namespace: str = "shop", pod: str = "web"
) -> JsonObject:
    """Return a ResourceClaim with an allocation, reserved for a pod."""
    requests = [
        {"name": each["request"], "exactly": {"deviceClassName": "nic"}} for each in results
    ]
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"devices": {"requests": requests}},
        "status": {
            "allocation": {"devices": {"results": list(results)}},
            "reservedFor": [{"resource": "pods", "name": pod, "uid": uid}],
        },
    }


def claim_status(*names: str) -> JsonObject:
    """Return the status of a pod with claims."""
    return {
        "resourceClaimStatuses": [
            {"name": f"c{number}", "resourceClaimName": name} for number, name in enumerate(names)
        ]
    }


def extended_status(name: str, **resources: str) -> JsonObject:
    """Return the status of a pod whose extended resources DRA provides: resource by request."""
    mappings = [
        {"containerName": "c", "requestName": request, "resourceName": resource}
        for request, resource in resources.items()
    ]
    return {"extendedResourceClaimStatus": {"resourceClaimName": name, "requestMappings": mappings}}
