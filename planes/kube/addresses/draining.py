"""Whether this node is cordoned: no new pod comes to it.

The watch has a field selector, so it is silent while the node takes pods.
"""

from __future__ import annotations

from collections.abc import Callable

from planes.kube.api import Query
from planes.kube.resources import NODES
from planes.model.errors import JsonObject


def cordoned(node: str) -> Query:
    """Return the query for a node while it is cordoned."""
    fields = f"metadata.name={node},spec.unschedulable=true"
    return Query(NODES, fields=fields, is_metadata_only=True, at_least="0")


class Draining:
    """Implements `planes.kube.informers.handler.EventHandler`.

    Args:
        on_cordoned: called when the node was cordoned.

    Attributes:
        is_cordoned: whether it is, as last seen.
    """

    def __init__(self, on_cordoned: Callable[[], None]) -> None:
        self._on_cordoned = on_cordoned
        self._was_listed = False
        self.is_cordoned = False

    def begin(self) -> None:
        """A whole listing starts."""
        self._was_listed = False

    def put(self, _obj: JsonObject) -> None:
        """The node is cordoned."""
        self._was_listed = True
        if not self.is_cordoned:
            self.is_cordoned = True
            self._on_cordoned()

    def drop(self, _obj: JsonObject) -> None:
        """The node takes pods again, or is gone."""
        self.is_cordoned = False

    def finish(self) -> None:
        """The listing is complete."""
        self.is_cordoned = self._was_listed
