"""Distinguish plugins that refused a DEL from plugins that lacked the means for it.

A plugin that refused has nothing to release; one that lacked e.g. iptables may have. Only the text
of the error tells: plugins report a missing program with the same code as anything else.
"""

from __future__ import annotations

import re
from typing import Final

from planes.model.errors import Internal, PlanesError

# Texts of go-iptables, os/exec, the reference plugins, shells and the kernel. "No such file" alone
# is not among them: plugins report it for a namespace that is gone.
_UNABLE: Final = re.compile(
    r"executable file not found"
    r"|command not found|exit status 12[67]\b"
    r"|neither iptables nor ip6tables"
    r"|(could not|cannot|can't|failed to|unable to) (locate|find|initiali[sz]e|run|start|execute)"
    r"[^.;]{0,40}\b(ip6?tables|nft|nftables|ipset|ebtables|tc)\b"
    r"|permission denied|operation not permitted|read-only file system"
    r"|xtables lock|resource temporarily unavailable|cannot allocate memory|text file busy",
    re.IGNORECASE,
)


_REASONS: Final = (
    ("no plugin", re.compile(r"cannot find plugin")),
    ("no program", re.compile(r"executable file not found|command not found|not installed")),
    ("deadline", re.compile(r"did not end within|cannot detach \S+ within|have not ended")),
    (
        "permission",
        re.compile(r"permission denied|operation not permitted|read-only file", re.IGNORECASE),
    ),
)


class PluginFailed(Internal):
    """A plugin binary ran, and ended with an error of its own."""


def could_not_run(error: PlanesError) -> bool:
    """Report whether a plugin never ran, or lacked the means: it may have something to release."""
    return not isinstance(error, PluginFailed) or lacks_means(error.message)


def reason_of(text: str) -> str:
    """Return the kind of an error by its text: one of a few, for the label of a metric."""
    return next((word for word, pattern in _REASONS if pattern.search(text)), "plugin failed")


def lacks_means(text: str) -> bool:
    """Report whether the text of an error says that a program lacked the means to act."""
    return _UNABLE.search(text) is not None
