"""Telling a plugin that refused a DEL from one that could not do it, for want of a program, say.

What refused has nothing to give back; what could not still has. A plugin's text is all there is to
go by: plugins report a missing iptables with the same code as anything else.
"""

from __future__ import annotations

import re
from typing import Final

from planes.model.errors import Internal, PlanesError

# What go-iptables, os/exec, the reference plugins, shells and the kernel say. "No such file" alone
# is not among it: that is what a plugin says of a namespace that is gone.
_UNABLE: Final = re.compile(
    r"executable file not found"
    r"|command not found|exit status 12[67]\b"
    r"|neither iptables nor ip6tables"
    r"|(could not|cannot|can't|failed to|unable to) (locate|find|initiali[sz]e|run|start|execute)"
    r"[^.;]{0,40}\b(ip6?tables|nft|ipset|ebtables|tc)\b"
    r"|permission denied|operation not permitted|read-only file system"
    r"|xtables lock|resource temporarily unavailable|cannot allocate memory|text file busy",
    re.IGNORECASE,
)


class PluginFailed(Internal):
    """A plugin binary ran, and ended with an error of its own."""


def could_not_run(error: PlanesError) -> bool:
    """Tell whether a plugin's part may still be undone: it never ran, or lacked what it needs."""
    return not isinstance(error, PluginFailed) or _UNABLE.search(error.message) is not None
