"""Who is told of the objects of a watched query.

The order is the promise: `begin`, any number of `put`, `finish`; then `put` and `drop` as things
change; and `begin` again whenever the whole had to be listed anew. What was not put between a
`begin` and its `finish` is gone. A listing that breaks off has no `finish`: the next `begin`
starts it over. Calls come from one task and must not wait.
"""

from __future__ import annotations

from typing import Protocol

from planes.model.errors import JsonObject


class Follower(Protocol):
    """Keeps what it needs of the objects it is told of."""

    def begin(self) -> None:
        """A whole listing starts; what is known stays in force until `finish`."""
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
