"""Which pod has which static address of a plane, read from the blocks of static addresses.

Daemons write these, one address after the other. So, unlike an annotation of a pod, they prove that
the pod has the address. A block that cannot be read proves nothing.

A node can write entries without end: a bounded number of each node is kept. An address that is not
kept is still refused by the node that is to attach it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from planes.kube.addresses.holders import read_static
from planes.kube.addresses.ipblocks import STATIC
from planes.model.bounds import MAX_HELD_OF_NODE
from planes.model.errors import Internal, JsonObject
from planes.model.state.claim_changes import Held

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _HeldClaim:
    """The pod, `namespace/name`, that has an address, and the node that wrote it."""

    pod: str
    node: str


_NOTHING: Final[Mapping[Held, _HeldClaim]] = {}


class StaticHolders:
    """Implements `planes.kube.informers.handler.EventHandler`.

    Args:
        on_held: called with the pod, `namespace/name`, that has an address now; None for no pod.
    """

    def __init__(self, on_held: Callable[[Mapping[Held, str | None]], None]) -> None:
        self._on_held = on_held
        self._blocks: dict[str, Mapping[Held, _HeldClaim]] = {}
        self._counts: Counter[str] = Counter()
        self._told: set[str] = set()
        self._listed: set[str] | None = None

    def begin(self) -> None:
        """A whole listing starts."""
        self._listed = set()

    def put(self, obj: JsonObject) -> None:
        """A block is there, or has changed."""
        name = str(obj["metadata"]["name"])
        if self._listed is not None:
            self._listed.add(name)
        self._set(name, _read(obj))

    def drop(self, obj: JsonObject) -> None:
        """A block is gone."""
        self._set(str(obj["metadata"]["name"]), _NOTHING)

    def finish(self) -> None:
        """The listing is complete: what was not in it is gone."""
        listed, self._listed = self._listed or set(), None
        for name in self._blocks.keys() - listed:
            self._set(name, _NOTHING)

    def _set(self, name: str, read: Mapping[Held, _HeldClaim]) -> None:
        before = self._blocks.get(name, _NOTHING)
        self._counts.subtract(entry.node for entry in before.values())
        held = {place: entry for place, entry in read.items() if self._has_room(entry.node)}
        self._counts += Counter()  # drops nodes whose count is 0
        changes: dict[Held, str | None] = {place: None for place in before if place not in held}
        for place, entry in held.items():
            old = before.get(place)
            if old is None or old.pod != entry.pod:
                changes[place] = entry.pod
        if held:
            self._blocks[name] = held
        else:
            self._blocks.pop(name, None)
        if changes:
            self._on_held(changes)

    def _has_room(self, node: str) -> bool:
        """Count an entry of a node, unless the node has as many as are kept."""
        if self._counts[node] >= MAX_HELD_OF_NODE:
            return False
        self._counts[node] += 1
        if self._counts[node] == MAX_HELD_OF_NODE and node not in self._told:
            self._told.add(node)
            _log.warning(
                "a node holds more static addresses than its pods need", extra={"node": node}
            )
        return True


def _read(obj: JsonObject) -> Mapping[Held, _HeldClaim]:
    spec = obj.get("spec")
    if not isinstance(spec, dict) or spec.get("use") != STATIC:
        return _NOTHING
    try:
        block = read_static(obj)
        return {
            (block.shape.plane, address): _HeldClaim(
                f"{holder.owner.namespace}/{holder.owner.pod}", holder.owner.node
            )
            for address, holder in block.holders.items()
            if holder.owner.pod
        }
    except Internal as error:
        _log.warning("block without holders", extra={"reason": str(error)})
        return _NOTHING
