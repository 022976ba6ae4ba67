"""Put what is read into members of an archive; what could not be read is noted, not raised."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final

from planes.cli.dump.archive import Archive
from planes.cli.dump.redaction import LineRedactor, redact_text, redact_value
from planes.model.encode import dumps
from planes.model.errors import JsonObject, PlanesError, Unavailable
from planes.model.lines import one_line

_MOST_NOTES: Final = 1000
_LONGEST_NOTE: Final = 500
FULL: Final = "it is full: what comes after its last line was left out, and is not counted"


class Collector:
    """Fills an archive.

    Args:
        archive: is written to.
        seconds: that one answer may take.
        most: bytes of one member.

    Attributes:
        notes: what was left out, as (member, why).
        counts: of objects, by what they are.
    """

    def __init__(self, archive: Archive, seconds: float, most: int) -> None:
        self._archive = archive
        self._seconds = seconds
        self._most = most
        self.notes: list[tuple[str, str]] = []
        self.counts: Counter[str] = Counter()

    def note(self, name: str, why: str) -> None:
        """Note that something was left out, and why."""
        if len(self.notes) < _MOST_NOTES:
            self.notes.append((name, one_line(redact_text(why), _LONGEST_NOTE)))

    async def add(
        self, name: str, objects: AsyncGenerator[JsonObject, None], *, is_timed: bool = True
    ) -> PlanesError | None:
        """Write a member with one object a line; return the error that ended it, which is noted.

        Args:
            name: of the member.
            objects: what is in it.
            is_timed: an object comes with one answer. Else it needs any number of them, each of
                which has a deadline of its own.
        """
        seconds = self._seconds if is_timed else None
        failed: PlanesError | None = None
        with self._archive.member(name, self._most) as member:
            try:
                async with aclosing(objects), aclosing(timed(objects, seconds)) as each:
                    async for obj in each:
                        if not member.line(dumps(redact_value(obj), name)):
                            break
            except PlanesError as error:
                failed = error
            is_full = member.left_out
        if is_full:
            self.note(name, FULL)
        if failed is not None:
            self.note(name, _why(failed))
        return failed

    def add_log(self, name: str, data: bytes) -> None:
        """Write a log, redacted line by line; the newest lines stay where it has no room."""
        redactor = LineRedactor()
        lines = [
            redactor.line(line).encode()
            for line in data.decode(errors="replace").removesuffix("\n").split("\n")
        ]
        room = min(self._most, self._archive.left)
        while lines and sum(map(len, lines)) + len(lines) > room:
            del lines[: len(lines) // 4 + 1]
            self.note(name, "it has no room for its first lines")
        with self._archive.member(name, self._most) as member:
            for line in lines:
                member.line(line)

    @property
    def is_full(self) -> bool:
        """Report whether there is no room for another member."""
        return self._archive.left <= 0


def _why(error: PlanesError) -> str:
    return f"{error.message}; {error.remedy}" if error.remedy else error.message


async def timed(
    objects: AsyncIterator[JsonObject], seconds: float | None
) -> AsyncGenerator[JsonObject, None]:
    """Yield objects, each of which comes within so many seconds; None: at any time.

    Raises:
        Unavailable: one did not.
    """
    while True:
        try:
            async with asyncio.timeout(seconds):
                obj = await anext(objects)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise Unavailable(
                f"cannot go on: the API server did not answer within {seconds:g} s",
                remedy="give --request-timeout",
            ) from error
        yield obj
