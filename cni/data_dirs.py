"""Where configurations may make us keep files: below the directories that the administrator allows.

A network configuration names directories (`dataDir`), and may be written by who is not root on the
node. Invariant: what is confined lies below an allowed directory after every symbolic link was
followed, so nothing is opened, made or waited for anywhere else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Final

from planes.model.errors import BadInput
from planes.model.names import shown

DEFAULT: Final = ("/var/lib/cni",)
FLAG: Final = "--data-dirs"


class DataDirs:
    """The allowed directories.

    Args:
        allowed: absolute paths; they need not exist.
    """

    def __init__(self, allowed: Sequence[str] = DEFAULT) -> None:
        self._allowed = tuple(allowed)

    def __iter__(self) -> Iterator[str]:
        """Give the allowed directories."""
        return iter(self._allowed)

    def find(self, path: str) -> str | None:
        """Give where a directory really is, None where that is not allowed; blocks.

        An allowed directory itself is allowed too.
        """
        if path.startswith("/") and "\0" not in path:
            real = os.path.realpath(path)
            for allowed in self._allowed:
                root = os.path.realpath(allowed)
                if real == root or real.startswith(root if root.endswith("/") else f"{root}/"):
                    return real
        return None

    def confined(self, path: str) -> str:
        """Give where a directory really is; blocks.

        Raises:
            BadInput: that is not below an allowed directory.
        """
        found = self.find(path)
        if found is not None:
            return found
        raise BadInput(
            f"cannot keep files in {shown(path, 256)}: it is not below "
            f"{' or '.join(self._allowed)}",
            remedy=f"leave dataDir out, or have an administrator allow the directory with {FLAG}",
        )
