"""The program's log as a test reads it."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from planes.run import logs


@contextmanager
def log_of() -> Iterator[io.StringIO]:
    """Write the log to a text inside the block."""
    stream = io.StringIO()
    level = logging.getLogger().level
    handler = logs.configure("info", stream)
    try:
        yield stream
    finally:
        logging.getLogger().removeHandler(handler)
        logging.getLogger().setLevel(level)
