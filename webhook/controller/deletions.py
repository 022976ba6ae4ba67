"""Keep planes that pods have: a finalizer holds the object until the last of them is gone.

While it is held the plane stays in force, also for new pods. A plane whose `deletionPolicy` is
Orphan has no finalizer of ours. Level-triggered: a plane from before this version, or one whose
policy changes, gets or loses the finalizer the next time it is reconciled (issue 10).
"""

from __future__ import annotations

from planes.kube.api import KubeApi
from planes.kube.informers.cache import ObjectCache
from planes.kube.resources import PLANES
from planes.model.errors import Conflict, NotFound
from planes.model.names import IN_USE_FINALIZER
from planes.model.spec.plane_spec import Deletion
from planes.model.state.plane_users import is_used
from planes.store.protocol import Store
from webhook.controller.objects import PlaneSeen


class DeletionKeeper:
    """Sets and removes the finalizer.

    Args:
        store: its catalog tells which pods have which plane.
    """

    def __init__(self, api: KubeApi, store: Store, planes: ObjectCache[PlaneSeen]) -> None:
        self._api = api
        self._store = store
        self._planes = planes

    async def reconcile(self, name: str) -> bool:
        """Set or remove the finalizer of one plane where it is wrong, and report whether it did.

        Raises:
            PlanesError: it could not be written; try again later.
        """
        seen = self._planes.get("", name)
        if seen is None:
            return False
        has = IN_USE_FINALIZER in seen.finalizers
        if seen.is_terminating and not (has and self._store.is_synced):
            return False  # the API server adds no finalizer now, and an unread cluster has no pods
        if has == self._is_held(seen):
            return False
        others = [each for each in seen.finalizers if each != IN_USE_FINALIZER]
        metadata = {
            "uid": seen.uid,
            "resourceVersion": seen.resource_version,
            "finalizers": others if has else [*others, IN_USE_FINALIZER],
        }
        try:
            await self._api.patch(PLANES, name, {"metadata": metadata})
        except (NotFound, Conflict):  # deleted or written since: the watch adds the key again
            return False
        return True

    def _is_held(self, seen: PlaneSeen) -> bool:
        if seen.plane.deletion is not Deletion.BLOCK:
            return False
        return not seen.is_terminating or is_used(seen.plane, self._store.catalog)
