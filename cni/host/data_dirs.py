"""The directories below which a network configuration may have its `dataDir`.

A tenant who is not root on the node may write network configurations.

Invariant: a confined path is below an allowed directory after all symbolic links were followed, so
no file is opened or made elsewhere.
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
        """Iterate over the allowed directories."""
        return iter(self._allowed)

    def find(self, path: str) -> str | None:
        """Return the real path of a directory, None where it is not allowed; blocks.

        An allowed directory itself is allowed too.
        """
        if path.startswith("/") and "\0" not in path:
            real = _real(path)
            for allowed in self._allowed:
                root = _real(allowed)
                if real == root or real.startswith(root if root.endswith("/") else f"{root}/"):
                    return real
        return None

    def confined(self, path: str) -> str:
        """Return the real path of a directory; blocks.

        Raises:
            BadInput: it is not below an allowed directory.
        """
        found = self.find(path)
        if found is not None:
            return found
        raise BadInput(
            f"cannot keep files in {shown(path, 256)}: it is not below "
            f"{' or '.join(self._allowed)}",
            remedy=f"leave dataDir out, or have an administrator allow the directory with {FLAG}",
        )


def _real(path: str) -> str:
    """Return the path without symbolic links.

    Of a directory that is there the kernel has it, in two calls; `realpath` makes one and a dozen
    functions for each part of the path.
    """
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return os.path.realpath(path)
    try:
        real = os.readlink(f"/proc/self/fd/{handle}")
    except OSError:
        return os.path.realpath(path)
    finally:
        os.close(handle)
    # One that was removed meanwhile has this behind its name.
    return os.path.realpath(path) if real.endswith(" (deleted)") else real
