"""An event handler that keeps versions of objects, and may refuse some objects."""

from __future__ import annotations

import asyncio

from planes.model.errors import JsonObject


class View:
    """An event handler: the versions of all objects, by "namespace/name".

    Attributes:
        calls: all calls, in order, e.g. `put web-0`.
        objects: what is known.
    """

    def __init__(self, *, refuses: str = "") -> None:
        self.calls: list[str] = []
        self.objects: dict[str, str] = {}
        self._refuses = refuses
        self._listed: dict[str, str] | None = None

    @property
    def names(self) -> set[str]:
        """The objects in force."""
        return set(self.objects)

    def begin(self) -> None:
        """A listing starts, maybe over."""
        self.calls.append("begin")
        self._listed = {}

    def put(self, obj: JsonObject) -> None:
        """An object is there."""
        name = obj["metadata"]["name"]
        self.calls.append(f"put {name}")
        if name == self._refuses:
            raise ValueError(f"{name} is refused")
        known = self.objects if self._listed is None else self._listed
        known[_key(obj)] = obj["metadata"]["resourceVersion"]

    def drop(self, obj: JsonObject) -> None:
        """An object is gone."""
        self.calls.append(f"drop {obj['metadata']['name']}")
        assert self._listed is None, "nothing is dropped during a listing"
        del self.objects[_key(obj)]

    def finish(self) -> None:
        """The listing is complete."""
        self.calls.append("finish")
        assert self._listed is not None, "only what has begun is finished"
        self.objects, self._listed = self._listed, None


def _key(obj: JsonObject) -> str:
    return f"{obj['metadata'].get('namespace', '')}/{obj['metadata']['name']}"


async def settle(turns: int = 20) -> None:
    """Let all that is ready run."""
    for _ in range(turns):
        await asyncio.sleep(0)
