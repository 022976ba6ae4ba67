"""The error of a file that cannot be written: one text, remedy and code for all files of a node."""

from __future__ import annotations

from pathlib import Path

from planes.model.errors import CniCode, Internal


def unwritable(what: str, path: Path | str, error: OSError) -> Internal:
    """Return the error.

    Args:
        what: what was to be kept, such as "the record of a device".
        path: of the file or directory.
        error: of the kernel.
    """
    return Internal(
        f"cannot keep {what} in {path}: {error.strerror or error}",
        remedy="see whether the file system of the node is full or read-only",
        code=CniCode.IO,
    )
