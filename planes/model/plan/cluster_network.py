"""The cluster's own network as a plan names it: what planes must keep away from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from planes.model.addresses import IPNetwork, parse_network
from planes.model.errors import BadInput, Finding, JsonObject
from planes.model.plan.plan_text import joined
from planes.model.plan.words import CLUSTER_CNIS

USUAL_UPLINK: Final = "eth0"
"""The interface by which a node is reached, where the plan does not name it."""


@dataclass(frozen=True, slots=True)
class PlanClusterNetwork:
    """The network that gives every pod its eth0.

    Attributes:
        uplink: the node's interface that carries it, "" where the plan does not say it.
    """

    path: str
    cni: str
    cidr: IPNetwork | None = None
    uplink: str = ""


def cluster_network(
    name: str, words: JsonObject, faults: list[Finding]
) -> PlanClusterNetwork | None:
    """Read a network as the cluster's own; None where it is of another type."""
    cni = words.get("cni")
    if not isinstance(cni, str) or cni not in CLUSTER_CNIS:
        return None
    path = joined("networks", name)
    interface = words.get("interface")
    return PlanClusterNetwork(
        path,
        cni,
        _cidr(words.get("cidr"), joined(path, "cidr"), faults),
        interface if isinstance(interface, str) else "",
    )


def _cidr(text: Any, path: str, faults: list[Finding]) -> IPNetwork | None:
    if text is None:
        return None
    try:
        return parse_network(text if isinstance(text, str) else "")
    except BadInput as error:
        faults.append(Finding(path, error.message, error.remedy))
        return None
