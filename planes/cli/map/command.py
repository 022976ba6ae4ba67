"""The `netplane map` command: what is read, and the forms in which it is shown."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping
from dataclasses import replace
from io import StringIO
from typing import TYPE_CHECKING, Final

from planes.cli.command import Command, Context, Task, UsageError
from planes.cli.console import Console
from planes.cli.reading.namespaces import NAMESPACE_OPTIONS, chosen_namespace
from planes.cli.reading.place import PLACE_OPTIONS, at_place
from planes.model.errors import Unavailable

if TYPE_CHECKING:
    from planes.cli.map.facts import PlaneMap

_NARROWEST: Final = 40
_WIDEST: Final = 240
_USUAL: Final = 100
_READABLE: Final = 0o644
_STDOUT: Final = "-"


def run(context: Context) -> int:
    """Read the map and show it as asked; return 0."""
    given, console = context.given, context.console
    _refuse_contradictions(given, console)
    if given.serve is not None:
        return _serve(context)
    found = read(context)
    for note in found.notes:
        console.warn(note)
    for path, made in _files(context, found).items():
        if path == _STDOUT:
            console.script(made)
            return 0
        _write(path, made)
        console.line(f"wrote {path}", "green")
    if given.text or not (given.html or given.svg):
        from planes.cli.map.terminal import lines  # noqa: PLC0415

        is_plain = is_plain_text(context.env)
        drawn = lines(found, width(context.env), is_ascii=is_plain, is_whole=console.is_wide)
        for line in drawn:
            console.line(line.text, line.colour)
    console.document(found.as_json())
    return 0


def _refuse_contradictions(given: argparse.Namespace, console: Console) -> None:
    """Refuse options of which one would go unheard.

    Raises:
        UsageError: there are such.
    """
    files = [name for name in (given.html, given.svg) if name]
    if given.serve is not None and (files or given.text):
        raise UsageError(
            "cannot serve the map and write it at once",
            remedy="leave out --serve, or --html, --svg and --text",
        )
    if len(set(files)) < len(files):
        raise UsageError(
            "cannot write the page and the picture to one file",
            remedy="give --html and --svg a name each",
        )
    if _STDOUT in files and (len(files) > 1 or given.text or console.is_document):
        raise UsageError(
            "cannot print the page or the picture among other output",
            remedy=f"give a file instead of {_STDOUT}, or nothing else that is printed",
        )


def read(context: Context) -> PlaneMap:
    """Return the map of the place that the options name.

    Raises:
        PlanesError: something cannot be read.
    """
    # What it reads with takes longer to load than most commands take.
    from planes.cli.map.reading import read_map  # noqa: PLC0415

    by, namespace = context.given.by, chosen_namespace(context)
    return at_place(context, lambda place: read_map(place, by, namespace))


def _files(context: Context, found: PlaneMap) -> Mapping[str, str]:
    from planes.cli.map.page import page  # noqa: PLC0415
    from planes.cli.map.picture import picture  # noqa: PLC0415

    given = context.given
    made = {}
    if given.html:
        made[given.html] = page(found)
    if given.svg:
        made[given.svg] = picture(found)
    return made


def _write(path: str, text: str) -> None:
    """Write a file whole; others may read it, as any picture.

    Raises:
        Unavailable: it cannot be written.
    """
    from planes.run import files  # noqa: PLC0415

    try:
        files.replace_named(path, text.encode(), mode=_READABLE)
    except OSError as error:
        raise Unavailable(
            f"cannot write {path}: {error.strerror or error}",
            remedy="name a file in a directory that exists and that you may write to; "
            f"{_STDOUT} is standard output",
        ) from error


def _serve(context: Context) -> int:
    from planes.cli.map.page import page  # noqa: PLC0415
    from planes.cli.map.serving import REFRESH_SECONDS, MapServer  # noqa: PLC0415

    # What is wrong is said here once, and then by the page.
    quiet = replace(context, console=Console(StringIO(), StringIO(), {}))
    server = MapServer(
        lambda: page(read(quiet), refresh_seconds=REFRESH_SECONDS), context.given.serve
    )
    for note in read(context).notes:
        context.console.warn(note)
    return server.run(context.console)


def is_plain_text(env: Mapping[str, str]) -> bool:
    """Report whether a terminal is to get ASCII only, by NO_COLOR and the locale."""
    locale = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or "C.UTF-8"
    is_unicode = "utf-8" in locale.lower() or "utf8" in locale.lower()
    return bool(env.get("NO_COLOR")) or env.get("TERM") == "dumb" or not is_unicode


def width(env: Mapping[str, str]) -> int:
    """Return the width of the terminal, within bounds."""
    text = env.get("COLUMNS", "")
    if text.isascii() and text.isdigit() and len(text) < 6:
        found = int(text)
    else:
        found = shutil.get_terminal_size((_USUAL, 24)).columns
    return min(max(found, _NARROWEST), _WIDEST)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 <= int(text[:6]) <= 65535:
        raise argparse.ArgumentTypeError(f"{text[:16]!r} is no port")
    return int(text)


def _file(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("a file has a name")
    return text


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--html",
        type=_file,
        metavar="FILE",
        help="write the map as a page for a browser; - is standard output",
    )
    parser.add_argument(
        "--svg",
        type=_file,
        metavar="FILE",
        help="write the map as a picture; - is standard output",
    )
    parser.add_argument(
        "--text", action="store_true", help="print the map; so it is where no file is given"
    )
    parser.add_argument(
        "--by",
        choices=("node", "namespace"),
        default="node",
        help="what pods are grouped by (default: node)",
    )
    parser.add_argument(
        "--serve",
        nargs="?",
        const=0,
        type=_port,
        metavar="PORT",
        help="show the map to browsers of this machine, live, until Ctrl-C",
    )


MAP: Final = Command(
    ("map",),
    "show which pod is on which network, and the addresses of planes",
    run,
    (*PLACE_OPTIONS, *NAMESPACE_OPTIONS),
    _arguments,
    task=Task.PLANES,
    example="netplane map --html planes.html",
)
