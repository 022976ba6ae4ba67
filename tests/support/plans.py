"""Network plans for tests: the shortest one that says what a test is about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from planes.model.errors import Finding, JsonObject
from planes.model.objects import Nad
from planes.model.plan.answers import read_answer
from planes.model.plan.network_plan import Beside, NetworkPlan, read_plan
from planes.model.plan.plan_text import read_plan_json

ARTICLE = Path(__file__).parents[1] / "data" / "plans" / "article"
"""A plan, NADs, applications and policies as an article about Flannel has them, faults included."""
ARTICLE_ANSWERS = (
    *("-f", str(ARTICLE / "networks.yaml"), "--skip", "management"),
    *("--set", "storage.cni=macvlan", "--set", "storage.podInterface=storage0"),
    *("--set", "business.namespaces=business-apps,storage-apps"),
)
"""What makes a plan of it that can be imported: no SR-IOV is needed, and no interface is moved."""


def network(**words: Any) -> JsonObject:
    """Return the words of a complete network: a macvlan on eth1 with 10.9.0.0/24."""
    words = {"cni": "macvlan", "interface": "eth1", "cidr": "10.9.0.0/24", **words}
    return {"gateway": "10.9.0.1", **words}


def plan_of(*sets: str, nads: tuple[Nad, ...] = (), **networks: Any) -> NetworkPlan:
    """Read a plan of these networks, with facts set as on the command line."""
    beside = Beside(tuple(map(read_answer, sets)), nads=nads)
    return read_plan({"networks": networks}, beside)


def plan_of_text(text: str | bytes) -> NetworkPlan:
    """Read a plan as a file has it."""
    data = text.encode() if isinstance(text, str) else text
    value, repeated = read_plan_json(data, "the plan")
    return read_plan(value, Beside(), repeated)


def nad(name: str, namespace: str = "shop", **config: Any) -> Nad:
    """Return a NAD; a macvlan on eth1 where the test says nothing else."""
    config = {"cniVersion": "0.3.1", "type": "macvlan", "master": "eth1", **config}
    return Nad(namespace, name, json.dumps(config))


def paths(findings: list[Finding]) -> list[str]:
    """Return the paths of findings."""
    return [finding.path for finding in findings]
