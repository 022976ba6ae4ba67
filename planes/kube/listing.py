"""The answer to a list as it comes: a short one decoded at one go, a long one object by object."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from typing import Any, Final

import orjson

from planes.kube.skim import OF_NADS, PIECE_BYTES, Bound, ListSkim
from planes.model.errors import JsonObject

WHOLE_BYTES: Final = 1 << 20
"""An answer of more is not decoded at one go: 3 ms for pods, and 20 MiB where all of it is tiny."""


class ListReading:
    """Reads one answer.

    Attributes:
        resource_version: of the list; "" where the answer was none.
        more: how to ask for what follows, "" at the end.
        is_cut: the answer ended half-way. A server that says no length leaves that to its reader,
            and the version comes before the objects.

    Args:
        bound: which objects are decoded when they come one by one. NADs always do: what is too
            large of them must not depend on how many there are.
    """

    def __init__(self, bound: Bound) -> None:
        self.resource_version = ""
        self.more = ""
        self.is_cut = False
        self._bound = bound
        self._most = 0 if bound is OF_NADS else WHOLE_BYTES

    async def run(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[Sequence[JsonObject], None]:
        """Yield the objects, some at a time, and give way to others in between.

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
            yield answer.pop("items", None) or () if isinstance(answer, dict) else ()
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
