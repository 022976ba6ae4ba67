"""Who has which static address of a plane, as the blocks of static addresses say.

Daemons write them, one address after the other; so unlike an annotation of a pod they prove that
the pod has the address. A block that cannot be read proves nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final

from planes.kube.holders import read_static
from planes.kube.ipblocks import STATIC
from planes.model.errors import Internal, JsonObject
from planes.model.state.claim_index import Held

_log = logging.getLogger(__name__)
_NOTHING: Final[Mapping[Held, str]] = {}


class StaticHolders:
    """Implements `planes.kube.follower.Follower`.

    Args:
        on_held: told which pod, `namespace/name`, has an address from now on; None: nobody.
    """

    def __init__(self, on_held: Callable[[Mapping[Held, str | None]], None]) -> None:
        self._on_held = on_held
        self._blocks: dict[str, Mapping[Held, str]] = {}
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

    def _set(self, name: str, held: Mapping[Held, str]) -> None:
        before = self._blocks.get(name, _NOTHING)
        changes: dict[Held, str | None] = {place: None for place in before if place not in held}
        changes.update((place, pod) for place, pod in held.items() if before.get(place) != pod)
        if held:
            self._blocks[name] = held
        else:
            self._blocks.pop(name, None)
        if changes:
            self._on_held(changes)


def _read(obj: JsonObject) -> Mapping[Held, str]:
    spec = obj.get("spec")
    if not isinstance(spec, dict) or spec.get("use") != STATIC:
        return _NOTHING
    try:
        block = read_static(obj)
        return {
            (block.shape.plane, address): f"{holder.owner.namespace}/{holder.owner.pod}"
            for address, holder in block.holders.items()
            if holder.owner.pod
        }
    except Internal as error:
        _log.warning("block without holders", extra={"reason": str(error)})
        return _NOTHING
