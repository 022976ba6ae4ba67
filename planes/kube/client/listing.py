"""Read the response to a list: a short one is decoded whole, a long one object by object."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from typing import Any, Final

import orjson

from planes.kube.client.skim import OF_NADS, PIECE_BYTES, Bound, ListSkim
from planes.model.errors import JsonObject

WHOLE_BYTES: Final = 1 << 20
"""A larger response is not decoded whole: 3 ms for pods, and 20 MiB where all members are tiny."""


class ListReading:
    """Reads one response.

    Attributes:
        resource_version: of the list; "" where the response was none.
        more: the `continue` token of the next page, "" at the end.
        is_cut: the response ended half-way. A server may send no length, and the version comes
            before the objects.

    Args:
        bound: which objects are decoded when they come one by one. NADs always do: which of them
            is too large must not depend on how many there are.
    """

    def __init__(self, bound: Bound) -> None:
        self.resource_version = ""
        self.more = ""
        self.is_cut = False
        self._bound = bound
        self._most = 0 if bound is OF_NADS else WHOLE_BYTES

    async def run(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[Sequence[JsonObject], None]:
        """Yield the objects, some at a time, and let other tasks run in between.

        Raises:
            orjson.JSONDecodeError: something is not JSON.
        """
        parts: list[bytes] = []
        size = 0
        skim: ListSkim | None = None
        async for chunk in chunks:
            parts.append(chunk)
            size += len(chunk)
            if skim is None and size > self._most:
                skim = ListSkim(self._bound)
            if skim is not None:
                for piece in _pieces(parts):
                    if items := tuple(skim.feed(piece)):
                        yield items
                    await asyncio.sleep(0)
                parts = []
        if skim is None:
            answer = orjson.loads(b"".join(parts))
            listed = answer.pop("items", None) if isinstance(answer, dict) else None
            # What is neither is told by who looks at the items.
            yield listed if isinstance(listed, list) else () if listed is None else (listed,)
            self._take(answer.get("metadata") if isinstance(answer, dict) else None)
        else:
            self._take(skim.found)
            self.is_cut = not skim.is_whole

    def _take(self, metadata: Any) -> None:
        if isinstance(metadata, dict):
            self.resource_version = str(metadata.get("resourceVersion") or "")
            self.more = str(metadata.get("continue") or "")


def _pieces(parts: Sequence[bytes]) -> Iterator[bytes]:
    for part in parts:
        for at in range(0, len(part), PIECE_BYTES):
            yield part[at : at + PIECE_BYTES]
