"""Look at a node by live reads: its Node object, then the Lease that its kubelet renews.

The Lease is in namespace kube-node-lease and has the node's name. Kubernetes deletes it together
with the Node object, and a kubelet without a Node object makes no new one.
"""

from __future__ import annotations

from typing import Any, Final

from planes.kube.api import ReadApi
from planes.kube.resources import LEASES, NODES
from planes.model.errors import JsonObject, NotFound
from planes.model.state.fencing import NodeLook
from planes.run.clock import Clock

NODE_LEASES: Final = "kube-node-lease"
OUT_OF_SERVICE_TAINT: Final = "node.kubernetes.io/out-of-service"
_LONGEST_RENEWAL: Final = 64


async def look_at(api: ReadApi, clock: Clock, node: str) -> NodeLook:
    """Read a node's objects, two requests; a valid name is the caller's part.

    Raises:
        PlanesError: one of them could not be read, so nothing is known.
    """
    began = clock.monotonic()
    found = await _read(api.get(NODES, node))
    lease = await _read(api.get(LEASES, node, namespace=NODE_LEASES))
    renewal = "" if lease is None else _mapping(lease.get("spec")).get("renewTime")
    return NodeLook(
        began,
        clock.monotonic(),
        found is not None,
        found is not None and _is_out_of_service(found),
        # A Lease that nobody has renewed is still there.
        "" if lease is None else str(renewal)[:_LONGEST_RENEWAL],
    )


async def _read(request: Any) -> JsonObject | None:
    try:
        found: JsonObject = await request
    except NotFound:
        return None
    return found


def is_ready(node: JsonObject) -> bool:
    """Report whether a Node's condition Ready is true."""
    conditions = _mapping(node.get("status")).get("conditions")
    return any(
        isinstance(each, dict) and (each.get("type"), each.get("status")) == ("Ready", "True")
        for each in (conditions if isinstance(conditions, list) else ())
    )


def _is_out_of_service(node: JsonObject) -> bool:
    taints = _mapping(node.get("spec")).get("taints")
    has_taint = any(
        isinstance(each, dict) and each.get("key") == OUT_OF_SERVICE_TAINT
        for each in (taints if isinstance(taints, list) else ())
    )
    return has_taint and not is_ready(node)


def _mapping(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}
