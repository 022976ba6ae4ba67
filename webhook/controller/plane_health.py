"""What nodes report about planes, by plane and node: an annotation of the daemons' own pods.

A report tells how attaching goes on the node, and how the node uses its blocks.

A report counts only on a pod of netplane-system with the daemon's label. The policy in
base/policies/nodes.yaml has it written by the pod's own daemon, about its own node: a compromised
node reports about itself alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from planes.kube.client.skim import Skimmed
from planes.kube.informers.cache import ObjectKey
from planes.model.errors import BadInput, JsonObject
from planes.model.names import PLANE_HEALTH_ANNOTATION
from planes.model.state.node_use import MOST_PLANES_USED, UNUSED, NodeUse
from planes.model.state.plane_health import Health, HealthReport, read_report

T = TypeVar("T")

DAEMON_PODS: Final = "app.kubernetes.io/name=netplane-cni"
"""Label selector of the daemons' pods."""


def read_health(obj: JsonObject) -> HealthReport | None:
    """Return the report on a pod, None where it has none.

    Raises:
        BadInput: the pod was too large to be decoded.
    """
    if isinstance(obj, Skimmed):
        raise BadInput(f"cannot read the pod: it has {obj.size} bytes")
    annotations = obj["metadata"].get("annotations")
    text = annotations.get(PLANE_HEALTH_ANNOTATION) if isinstance(annotations, dict) else None
    return read_report(text) if isinstance(text, str) else None


class NodeReports:
    """Reports by plane.

    Args:
        changed: called with each plane of which a node reports something else.
    """

    def __init__(self, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self._of_planes: dict[str, dict[str, tuple[str, Health]]] = {}
        self._uses: dict[str, dict[str, tuple[str, NodeUse]]] = {}
        self._whole: Counter[str] = Counter()

    def of(self, plane: str) -> Mapping[str, Health]:
        """Return what each node reports of a plane; of two pods of a node the later report."""
        reports = self._of_planes.get(plane, {}).values()
        return dict(sorted(reports, key=lambda report: report[1].last))

    def use_of(self, plane: str) -> Callable[[str], NodeUse | None]:
        """Return a function from a node to its use of its blocks of a plane, None if unreported.

        While a daemon is replaced the node has two reports, and the larger counts are taken.
        """
        found: dict[str, NodeUse] = {}
        for node, use in self._uses.get(plane, {}).values():
            before = found.get(node)
            found[node] = use if before is None else NodeUse(*map(max, before, use))
        return lambda node: found.get(node, UNUSED if node in self._whole else None)

    def changed(self, key: ObjectKey, old: HealthReport | None, new: HealthReport | None) -> None:
        """The report on a daemon's pod was added, changed or removed."""
        for plane in _renew(self._of_planes, key.name, _planes(old), _planes(new)):
            self._changed(plane)
        # Counts are looked at every few seconds anyway, and not written for each report.
        _renew(self._uses, key.name, _uses(old), _uses(new))
        for report, more in ((old, -1), (new, 1)):
            # In a full one there may be no room for a plane.
            if report is not None and report.use is not None:
                self._whole[report.node] += more * (len(report.use) < MOST_PLANES_USED)
                if not self._whole[report.node]:
                    del self._whole[report.node]


def _renew(
    of_planes: dict[str, dict[str, tuple[str, T]]],
    pod: str,
    before: Mapping[str, tuple[str, T]],
    after: Mapping[str, tuple[str, T]],
) -> list[str]:
    """Replace what a pod reports; return the planes of which it reports something else."""
    changed = [
        plane for plane in before.keys() | after.keys() if before.get(plane) != after.get(plane)
    ]
    for plane in changed:
        of_plane = of_planes.setdefault(plane, {})
        of_plane.pop(pod, None)
        if plane in after:
            of_plane[pod] = after[plane]
        if not of_plane:
            del of_planes[plane]
    return changed


def _planes(report: HealthReport | None) -> Mapping[str, tuple[str, Health]]:
    if report is None:
        return {}
    return {plane: (report.node, health) for plane, health in report.planes.items()}


def _uses(report: HealthReport | None) -> Mapping[str, tuple[str, NodeUse]]:
    if report is None or report.use is None:
        return {}
    return {plane: (report.node, use) for plane, use in report.use.items()}
