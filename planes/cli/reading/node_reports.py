"""What nodes report of their blocks, read from their daemons' pods as the leader reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from planes.kube.api import Query, ReadApi
from planes.kube.resources import PODS
from planes.model.errors import JsonObject
from planes.model.names import NETPLANE_NAMESPACE, PLANE_HEALTH_ANNOTATION
from planes.model.state.node_use import MOST_PLANES_USED, UNUSED, NodeUse
from planes.model.state.plane_health import HealthReport, read_report

DAEMON_PODS: Final = "app.kubernetes.io/name=netplane-cni"
"""Label selector of the daemons' pods."""


@dataclass(frozen=True, slots=True)
class ReportedUses:
    """How many addresses nodes have in use.

    Attributes:
        uses: by plane and node; of two pods of a node the larger counts.
        whole: nodes that report all the planes that they use.
    """

    uses: Mapping[str, Mapping[str, NodeUse]] = field(default_factory=dict)
    whole: frozenset[str] = frozenset()

    def of(self, plane: str) -> Callable[[str], NodeUse | None]:
        """Return a function from a node to its use of a plane, None where it reports none."""
        found = self.uses.get(plane, {})
        return lambda node: found.get(node, UNUSED if node in self.whole else None)


async def reported_uses(api: ReadApi) -> ReportedUses:
    """Read what nodes report.

    Raises:
        PlanesError: the daemons' pods cannot be listed.
    """
    uses: dict[str, dict[str, NodeUse]] = {}
    whole: set[str] = set()
    query = Query(PODS, namespace=NETPLANE_NAMESPACE, labels=DAEMON_PODS, is_metadata_only=True)
    async for page in api.pages(query):
        for obj in page.items:
            report = _report(obj)
            if report is None or report.use is None:
                continue
            if len(report.use) < MOST_PLANES_USED:  # a full one may lack planes
                whole.add(report.node)
            for plane, use in report.use.items():
                of_plane = uses.setdefault(plane, {})
                before = of_plane.get(report.node, UNUSED)
                of_plane[report.node] = NodeUse(*map(max, before, use))
    return ReportedUses(uses, frozenset(whole))


def _report(obj: JsonObject) -> HealthReport | None:
    text = (obj["metadata"].get("annotations") or {}).get(PLANE_HEALTH_ANNOTATION)
    return read_report(text) if isinstance(text, str) else None
