"""Logs as JSON lines: an event and its facts, with facts of the context (`bind`).

Invariant: a line is one JSON object `{"ts","level","event","logger",…}`. Facts with the name of a
secret are masked, and formatting never raises into the caller. Of equal lines one is written in 10
s, and then another with `repeated`: how many were not written.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Any, Final, TextIO

import orjson

from planes.run.repeats import Line, Repeats

LEVELS: Final = ("debug", "info", "warning", "error")

_CONTEXT: ContextVar[Mapping[str, Any]] = ContextVar("log_context", default=MappingProxyType({}))
_STANDARD: Final = frozenset(
    {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message"}
)
_SECRET: Final = re.compile(r"passw|secret|token|authorization|private|bearer", re.IGNORECASE)
_EVENT_CHARACTERS: Final = 500
_OPTIONS: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
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
        """Return the record as one JSON object on one line."""
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
        return _dumps(line)


class CountingHandler(logging.StreamHandler[TextIO]):
    """Writes lines to a stream; counts equal ones."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._repeats = Repeats()

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler; count a record whose line was written just now."""
        try:
            stamp, _, text = self.format(record).partition(",")
            self._write_counts(record.created, stamp)
            event = (record.name, record.levelno, str(record.msg)[:_EVENT_CHARACTERS])
            line = Line(event, text, partial(_summary, record))
            if self._repeats.is_written(line, record.created):
                self.stream.write(f"{stamp},{text}\n")
            self.flush()
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Write the counts that are left."""
        with suppress(ValueError, OSError):  # the stream may be closed
            moment = datetime.now(UTC).timestamp()
            self._write_counts(float("inf"), f'{{"ts":"{_stamp(moment)}"')
        super().close()

    def _write_counts(self, now: float, stamp: str) -> None:
        for text, repeated in self._repeats.ended(now):
            self.stream.write(f'{stamp},{text[:-1]},"repeated":{repeated}}}\n')


def _stamp(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _summary(record: logging.LogRecord) -> str:
    """Return a record's line without its time and facts."""
    line = {
        "level": record.levelname.lower(),
        "event": str(record.msg)[:_EVENT_CHARACTERS],
        "logger": record.name,
    }
    return _dumps(line)[1:]


def _dumps(line: Mapping[str, Any]) -> str:
    """Write a line as JSON; values of other types as their text."""
    try:
        return orjson.dumps(line, default=str, option=_OPTIONS).decode()
    except TypeError:  # half a character, or a number of more than 64 bits
        return json.dumps(line, ensure_ascii=False, default=str, separators=(",", ":"))


def configure(level: str, stream: TextIO) -> logging.Handler:
    """Send every logger's lines to the stream; return the handler, for its removal.

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
    # A line for each HTTP request would be an access log.
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    # What no line shows is not looked for (Python's logging HOWTO, "Optimization").
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    return handler
