"""The event handler of a Reflector, and the order of its calls.

The order: `begin`, any number of `put`, `finish`; then `put` and `drop` as objects change; and
`begin` again whenever everything had to be listed anew. An object that was not put between a
`begin` and its `finish` is gone. A listing that breaks off has no `finish`: the next `begin` starts
it over.

Calls come on the event loop and must neither wait nor take long: several handlers of one watch are
called one after the other, so a slow one would delay all of them.
"""

from __future__ import annotations

from typing import Protocol

from planes.model.errors import JsonObject


class EventHandler(Protocol):
    """Is called with the objects of a query, and keeps what it needs of them."""

    def begin(self) -> None:
        """A whole listing starts; what is known and not put again stays until `finish`."""
        ...

    def put(self, obj: JsonObject) -> None:
        """An object is there, or has changed. Must not keep `obj` itself: it may be large."""
        ...

    def drop(self, obj: JsonObject) -> None:
        """An object is gone; its last state, of which at least the metadata is there."""
        ...

    def finish(self) -> None:
        """The listing is complete."""
        ...
