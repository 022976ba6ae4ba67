"""Keep the joined label of namespaces, and count which namespaces joined which plane.

The webhook on namespaces sets the label at once where the namespace's own labels decide. This keeps
it right when planes are added, changed and deleted, and where the webhook was not asked.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from planes.kube.api import KubeApi
from planes.kube.informers.cache import ObjectCache
from planes.kube.resources import NAMESPACES
from planes.model.errors import Finding, NotFound
from planes.model.names import JOINED_LABEL
from planes.model.objects import Namespace
from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog
from webhook.controller.objects import PlaneSeen
from webhook.joined_label import JOINED_VALUE, has_joined_label, needs_joined_label

# So many namespaces are looked at in one go: reviews must not wait longer than that takes.
_AT_ONCE: Final = 200


class JoinedLabelKeeper:
    """Sets and removes the joined label of namespaces.

    Attributes:
        faults: what is wrong with the labels of namespaces, as of the last resync.

    Args:
        wrong: called with each namespace that a resync finds to have the wrong label.
    """

    def __init__(
        self,
        api: KubeApi,
        planes: ObjectCache[PlaneSeen],
        namespaces: ObjectCache[Namespace],
        wrong: Callable[[str], None],
    ) -> None:
        self._api = api
        self._planes = planes
        self._namespaces = namespaces
        self._wrong = wrong
        self._catalog: Catalog | None = None
        self._selecting: dict[str, tuple[PlaneSeen, Plane]] = {}
        self._joined: Mapping[str, Sequence[str]] | None = None
        self.faults: Mapping[str, tuple[Finding, ...]] = {}

    def joined(self, plane: str) -> Sequence[str] | None:
        """Return which namespaces joined a plane, as of the last resync; None before the first."""
        return None if self._joined is None else self._joined.get(plane, ())

    def forget_planes(self) -> None:
        """Take note that planes have changed."""
        self._catalog = None

    async def resync(self) -> None:
        """Look at all namespaces: count which joined, and report those with a wrong label."""
        if not (self._planes.is_synced and self._namespaces.is_synced):
            return
        catalog, joined = self._current(), defaultdict[str, list[str]](list)
        faults: dict[str, tuple[Finding, ...]] = {}
        for number, key in enumerate(self._namespaces):
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
            namespace = self._namespaces.get(*key)
            if namespace is None:
                continue
            membership = catalog.membership(namespace)
            for plane in membership.planes:
                joined[plane.name].append(key.name)
            if membership.findings:
                faults[key.name] = membership.findings
            if needs_joined_label(namespace, catalog) != (JOINED_LABEL in namespace.labels):
                self._wrong(key.name)
        self._joined = joined
        self.faults = faults

    async def reconcile(self, name: str) -> bool:
        """Set or remove the label of one namespace where it is wrong, and report whether it did.

        Raises:
            PlanesError: it could not be written; try again later.
        """
        namespace = self._namespaces.get("", name)
        if namespace is None or not (self._planes.is_synced and self._namespaces.is_synced):
            return False
        wanted = needs_joined_label(namespace, self._current())
        is_right = has_joined_label(namespace) if wanted else JOINED_LABEL not in namespace.labels
        if is_right:
            return False
        patch = {"metadata": {"labels": {JOINED_LABEL: JOINED_VALUE if wanted else None}}}
        try:
            await self._api.patch(NAMESPACES, name, patch)
        except NotFound:  # deleted since
            return False
        return True

    def _current(self) -> Catalog:
        if self._catalog is None:
            before = self._selecting
            self._selecting = {
                seen.plane.name: _selecting(seen, before.get(seen.plane.name))
                for seen in self._planes.values()
            }
            planes = (plane for _, plane in self._selecting.values() if plane.name)
            self._catalog = Catalog.build(planes)
        return self._catalog


def _selecting(seen: PlaneSeen, before: tuple[PlaneSeen, Plane] | None) -> tuple[PlaneSeen, Plane]:
    """Return a plane as far as it selects namespaces: no NAD is rendered for that.

    A plane at fault keeps the label on its namespaces: stores go on with its last good state. A
    label too many costs a review of each pod, one too few costs pods their plane. For a plane that
    has not changed the value from before is returned, with what was computed from it.
    """
    if before is not None and before[0].plane == seen.plane:
        return before
    return seen, replace(seen.plane, network=None, nad_ref=None)
