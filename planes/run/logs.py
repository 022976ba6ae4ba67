"""Logs as JSON lines: an event name and facts, with the context bound once.

Invariant: a line is one JSON object `{"ts","level","event","logger",…}`; facts whose name says
secret are masked, and formatting never raises into the caller. A line that repeats is written once
in 10 s, and then once more with `repeated`: how often it was not.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, TextIO

from planes.run.repeats import Line, Repeats

LEVELS: Final = ("debug", "info", "warning", "error")

_CONTEXT: ContextVar[Mapping[str, Any]] = ContextVar("log_context", default=MappingProxyType({}))
_STANDARD: Final = frozenset(
    {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message"}
)
_SECRET: Final = re.compile(r"passw|secret|token|authorization|private|bearer", re.IGNORECASE)
_EVENT_CHARACTERS: Final = 500
_OWN: Final = frozenset({"ts", "level", "event", "logger"})


@contextmanager
def bind(**facts: Any) -> Iterator[None]:
    """Add facts to every line logged inside the block, by this task and those it starts."""
    token = _CONTEXT.set(MappingProxyType({**_CONTEXT.get(), **facts}))
    try:
        yield
    finally:
        _CONTEXT.reset(token)


def note(**facts: Any) -> None:
    """Add facts to every line from now to the end of the innermost `bind` of this task."""
    _CONTEXT.set(MappingProxyType({**_CONTEXT.get(), **facts}))


class JsonFormatter(logging.Formatter):
    """One record, one JSON line."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the record as one JSON object on one line."""
        line: dict[str, Any] = {
            "ts": _stamp(record.created),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
        }
        extra = {k: v for k, v in vars(record).items() if k not in _STANDARD}
        for key, value in {**_CONTEXT.get(), **extra}.items():
            name = f"{key}_" if key in _OWN else key
            line[name] = "***" if _SECRET.search(key) else value
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str, separators=(",", ":"))


class CountingHandler(logging.StreamHandler[TextIO]):
    """Writes lines to a stream; those that repeat are counted."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._repeats = Repeats()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, or count it."""
        try:
            stamp, _, text = self.format(record).partition(",")
            self._tell(record.created, stamp)
            event = (record.name, record.levelno, str(record.msg)[:_EVENT_CHARACTERS])
            if self._repeats.is_written(Line(event, text, _summary(record)), record.created):
                self.stream.write(f"{stamp},{text}\n")
            self.flush()
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Write what was counted to the end."""
        with suppress(ValueError, OSError):  # the stream may be closed
            moment = datetime.now(UTC).timestamp()
            self._tell(float("inf"), f'{{"ts":"{_stamp(moment)}"')
        super().close()

    def _tell(self, now: float, stamp: str) -> None:
        for text, repeated in self._repeats.ended(now):
            self.stream.write(f'{stamp},{text[:-1]},"repeated":{repeated}}}\n')


def _stamp(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _summary(record: logging.LogRecord) -> str:
    """Give a record's line without its time and facts."""
    line = {
        "level": record.levelname.lower(),
        "event": str(record.msg)[:_EVENT_CHARACTERS],
        "logger": record.name,
    }
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"))[1:]


def configure(level: str, stream: TextIO) -> logging.Handler:
    """Send every logger's lines to the stream; the handler is given back for its removal.

    Raises:
        ValueError: the level is none of `LEVELS`.
    """
    if level.lower() not in LEVELS:
        raise ValueError(f"{level!r} is none of {', '.join(LEVELS)}")
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler.formatter, JsonFormatter):
            root.removeHandler(handler)
    handler = CountingHandler(stream)
    handler.setFormatter(JsonFormatter())
    root.addHandler(handler)
    root.setLevel(level.upper())
    # One line for each HTTP request belongs to the access log of whoever wants one, not to ours.
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    return handler
