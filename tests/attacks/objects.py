"""Objects as tenants write them, for attacks on the stores of a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from planes.model.errors import JsonObject
from planes.model.names import (
    NETPLANE_NAMESPACE,
    NETWORKS_ANNOTATION,
    PLANE_LABEL_PREFIX,
    STATUS_ANNOTATION,
)

BRIDGE = '{"cniVersion":"1.0.0","type":"bridge"}'


def joined_namespace(name: str, *planes: str) -> JsonObject:
    """Return a namespace that joined planes."""
    labels = {PLANE_LABEL_PREFIX + plane: "enabled" for plane in planes}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def nad_object(
    name: str,
    namespace: str = "shop",
    *,
    config: str = BRIDGE,
    created: str = "2026-01-01T00:00:00Z",
    annotations: Mapping[str, str] | None = None,
) -> JsonObject:
    """Return a hand-written NAD."""
    meta: JsonObject = {"name": name, "namespace": namespace, "creationTimestamp": created}
    if annotations:
        meta["annotations"] = dict(annotations)
    return {"metadata": meta, "spec": {"config": config}}


def claiming_pod(
    name: str,
    namespace: str,
    *,
    asks: Sequence[str] = (),
    shows: Sequence[str] = (),
    network: str = "business",
    place: str = NETPLANE_NAMESPACE,
) -> JsonObject:
    """Return a pod that asks for addresses of a network, or whose network-status has them."""
    annotations: dict[str, Any] = {}
    if asks:
        element = {"name": network, "namespace": place, "ips": list(asks)}
        annotations[NETWORKS_ANNOTATION] = orjson.dumps([element]).decode()
    if shows:
        status = [{"name": f"{place}/{network}", "interface": "net1", "ips": list(shows)}]
        annotations[STATUS_ANNOTATION] = orjson.dumps(status).decode()
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations},
        "spec": {},
    }
