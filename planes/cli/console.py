"""What commands print: results on stdout; progress, warnings and errors on stderr.

Invariant: escape sequences go to a terminal only, colours not if NO_COLOR is set, and they are our
own: controls in a text, whoever wrote it, are printed as ?. With `--output json` or `yaml` stdout
has exactly one document.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, TextIO

import orjson
import yaml

from planes.model.errors import PlanesError
from planes.model.lines import printable, without_controls

_COLOURS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "red": "31",
        "green": "32",
        "yellow": "33",
        "blue": "34",
        "magenta": "35",
        "cyan": "36",
        "bold": "1",
        "dim": "2",
    }
)
_FRAMES: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_FRAME_SECONDS: Final = 0.1


class Format(StrEnum):
    """How results are printed: for people, or as one document for programs."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


class Console:
    """Prints text for people, or one document for programs.

    Args:
        stdout: for results.
        stderr: for progress, warnings and errors.
        env: NO_COLOR and TERM count.
        output: how results are printed.
    """

    def __init__(
        self,
        stdout: TextIO,
        stderr: TextIO,
        env: Mapping[str, str],
        *,
        output: Format = Format.TABLE,
    ) -> None:
        self._stdout = stdout
        self._stderr = stderr
        self._output = output
        is_plain = bool(env.get("NO_COLOR")) or env.get("TERM") == "dumb"
        self._is_live = stderr.isatty() and env.get("TERM") != "dumb"
        self._has_colour = {
            id(stdout): stdout.isatty() and not is_plain and not self.is_document,
            id(stderr): stderr.isatty() and not is_plain,
        }

    @property
    def is_document(self) -> bool:
        """Whether the result is one document, JSON or YAML."""
        return self._output in {Format.JSON, Format.YAML}

    @property
    def is_wide(self) -> bool:
        """Whether tables have all their columns."""
        return self._output is Format.WIDE

    def line(self, text: str, colour: str = "") -> None:
        """Print a line of the result, unless the result is a document."""
        if not self.is_document:
            print(self._paint(text, colour, self._stdout), file=self._stdout, flush=True)

    def manifests(self, text: str) -> None:
        """Print a result that programs read as it is, unless the result is a document."""
        if not self.is_document:
            print(text, file=self._stdout, flush=True)

    def script(self, text: str) -> None:
        """Print a result that is a text of its own, whatever `--output` says."""
        print(text, end="", file=self._stdout, flush=True)

    def document(self, value: Any) -> None:
        """Print the result, if it is to be a document."""
        if not self.is_document:
            return
        data = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)
        if self._output is Format.YAML:
            text = yaml.safe_dump(orjson.loads(data), sort_keys=False, allow_unicode=True)
            print(text, end="", file=self._stdout, flush=True)
        else:
            print(data.decode(), file=self._stdout, flush=True)

    def note(self, text: str, colour: str = "") -> None:
        """Print a line on stderr."""
        print(self._paint(text, colour, self._stderr), file=self._stderr, flush=True)

    def warn(self, text: str) -> None:
        """Print a warning on stderr."""
        self.note(f"warning: {text}", "yellow")

    def error(self, error: PlanesError) -> None:
        """Print the message of an error, and its remedy below it."""
        self.note(error.message, "red")
        for line in error.remedy.splitlines():
            self.note(f"  {line}")

    def table(
        self, header: Sequence[str], rows: Sequence[Sequence[str]], *, wide: int | None = None
    ) -> None:
        """Print columns as wide as their longest cell, which is printed without control characters.

        Args:
            header: the columns' names.
            rows: as many cells each.
            wide: how many columns are printed without `--output wide`; None for all.
        """
        header = header[: None if self.is_wide else wide]
        shown = (tuple(map(printable, row[: len(header)])) for row in rows)
        lines = [tuple(header), *shown]
        widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
        for number, line in enumerate(lines):
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            self.line("  ".join(cells).rstrip(), "bold" if number == 0 else "")

    @contextmanager
    def progress(self, text: str) -> Iterator[None]:
        """Show progress while the block runs: redrawn on a terminal, else one plain line."""
        if not self._is_live:
            self.note(f"{text} …")
            yield
            return
        stop = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(text, stop), daemon=True)
        ticker.start()
        try:
            yield
        finally:
            stop.set()
            ticker.join()
            print("\r\x1b[2K", end="", file=self._stderr, flush=True)

    def _tick(self, text: str, stop: threading.Event) -> None:
        count = 0
        while True:
            seconds = count * _FRAME_SECONDS
            passed = f" {seconds:.0f} s" if seconds >= 1 else ""
            line = f"{_FRAMES[count % len(_FRAMES)]} {text}{passed}"
            print(f"\r\x1b[2K{line}", end="", file=self._stderr, flush=True)
            count += 1
            if stop.wait(_FRAME_SECONDS):
                return

    def _paint(self, text: str, colour: str, stream: TextIO) -> str:
        text = "\n".join(map(without_controls, text.split("\n")))
        if not colour or not self._has_colour[id(stream)]:
            return text
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"
