"""Keep the mark of namespaces that join planes, and count who joined which.

The hook on namespaces sets the mark at once where labels alone decide; this keeps it right when
planes come, change and go, and where the hook was not there.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from planes.kube.api import KubeApi
from planes.kube.resources import NAMESPACES
from planes.model.errors import NotFound
from planes.model.names import JOINED_LABEL
from planes.model.objects import Namespace
from planes.model.spec.plane import Plane
from planes.model.state.catalog import Catalog
from webhook.controller.books import Book, PlaneSeen
from webhook.marks import MARK, is_concerned, is_marked

# So many namespaces are looked at in one go: reviews must not wait longer than that takes.
_AT_ONCE: Final = 200


class MarkKeeper:
    """Marks namespaces.

    Args:
        wrong: told of each namespace whose mark is not as it should be.
    """

    def __init__(
        self,
        api: KubeApi,
        planes: Book[PlaneSeen],
        namespaces: Book[Namespace],
        wrong: Callable[[str], None],
    ) -> None:
        self._api = api
        self._planes = planes
        self._namespaces = namespaces
        self._wrong = wrong
        self._catalog: Catalog | None = None
        self._selecting: dict[str, tuple[PlaneSeen, Plane]] = {}
        self._joined: Mapping[str, Sequence[str]] | None = None

    def joined(self, plane: str) -> Sequence[str] | None:
        """Which namespaces joined a plane when `survey` ended last; None: it never did."""
        return None if self._joined is None else self._joined.get(plane, ())

    def forget_planes(self) -> None:
        """Take note that planes have changed."""
        self._catalog = None

    async def survey(self) -> None:
        """Look at all namespaces: count who joined, and report wrong marks."""
        if not (self._planes.is_synced and self._namespaces.is_synced):
            return
        catalog, joined = self._current(), defaultdict[str, list[str]](list)
        for number, name in enumerate(self._namespaces):
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
            namespace = self._namespaces.get(name)
            if namespace is None:
                continue
            for plane in catalog.membership(namespace).planes:
                joined[plane.name].append(name)
            if is_concerned(namespace, catalog) != (JOINED_LABEL in namespace.labels):
                self._wrong(name)
        self._joined = joined

    async def look(self, name: str) -> bool:
        """Set or remove the mark of one namespace where it is wrong; whether it did.

        Raises:
            PlanesError: it could not be written; look again later.
        """
        namespace = self._namespaces.get(name)
        if namespace is None or not (self._planes.is_synced and self._namespaces.is_synced):
            return False
        wanted = is_concerned(namespace, self._current())
        is_right = is_marked(namespace) if wanted else JOINED_LABEL not in namespace.labels
        if is_right:
            return False
        patch = {"metadata": {"labels": {JOINED_LABEL: MARK if wanted else None}}}
        try:
            await self._api.patch(NAMESPACES, name, patch)
        except NotFound:  # removed since
            return False
        return True

    def _current(self) -> Catalog:
        if self._catalog is None:
            before = self._selecting
            self._selecting = {
                name: _selecting(self._planes[name], before.get(name)) for name in self._planes
            }
            planes = (plane for _, plane in self._selecting.values() if plane.name)
            self._catalog = Catalog.build(planes)
        return self._catalog


def _selecting(seen: PlaneSeen, before: tuple[PlaneSeen, Plane] | None) -> tuple[PlaneSeen, Plane]:
    """Give a plane as far as it selects namespaces: no NAD is rendered for that.

    A plane at fault keeps its namespaces marked: stores go on with what it was before, and a
    mark too many costs a call, one too few a plane. Of one that has not changed the value from
    before is given, with all that was worked out of it.
    """
    if before is not None and before[0].plane == seen.plane:
        return before
    return seen, replace(seen.plane, network=None, nad_ref=None)
