"""Write a node's report on its planes into an annotation of the daemon's own pod.

The pod is deleted with the node, and base/policies/nodes.yaml allows a daemon to write this
annotation on its own pod alone, with its own node's name.
"""

from __future__ import annotations

from planes.kube.api import KubeApi
from planes.kube.resources import PODS
from planes.model.names import NETPLANE_NAMESPACE, PLANE_HEALTH_ANNOTATION


class HealthWriter:
    """Writes reports.

    Args:
        pod: the name of the daemon's own pod.
    """

    def __init__(self, api: KubeApi, pod: str) -> None:
        self._api = api
        self._pod = pod

    async def put(self, report: str) -> None:
        """Replace the report.

        Raises:
            PlanesError: it could not be written.
        """
        patch = {"metadata": {"annotations": {PLANE_HEALTH_ANNOTATION: report}}}
        await self._api.patch(
            PODS, self._pod, patch, namespace=NETPLANE_NAMESPACE, subresource="status"
        )
