"""A plugin that hangs, fails or works, as a netconf's key `act` says.

`hang` hangs in ADD, `hang-del` in DEL, `hang-both` in both, `fail` fails in ADD.

It holds a lease for each attachment, as an IPAM would, so that a test sees what was not given back.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

KIND: Final = "moody"

_SCRIPT: Final = """#!/bin/sh
conf=$(cat)
lease="{leases}/$CNI_CONTAINERID-$CNI_IFNAME"
act=$(printf %s "$conf" | sed -n 's/.*"act": *"\\([a-z-]*\\)".*/\\1/p')
case "$CNI_COMMAND-$act" in
ADD-hang|ADD-hang-both) : > "$lease"; exec sleep 600 ;;
DEL-hang-del|DEL-hang-both) [ -e "{leases}/let-go" ] || exec sleep 600 ;;
ADD-fail) echo '{{"cniVersion": "1.0.0", "code": 100, "msg": "as asked"}}'; exit 1 ;;
esac
case "$CNI_COMMAND" in
ADD) : > "$lease"; echo '{{"cniVersion": "1.0.0", "interfaces": []}}' ;;
DEL) rm -f "$lease" ;;
esac
"""


def install(directory: Path) -> Path:
    """Write the plugin below a directory; where its leases are."""
    leases = directory / "leases"
    leases.mkdir()
    (directory / "bin").mkdir()
    path = directory / "bin" / KIND
    path.write_text(_SCRIPT.format(leases=leases))
    path.chmod(0o755)
    return leases
