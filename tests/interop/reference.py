"""Which reference plugins the inventory is compared with, and what this kernel has for it.

The release that `scripts/reference-plugins` built is taken. Debian's 1.1.1 is too old for this;
`test_same_as_reference` compares with it.
"""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

from tests.house.sources import ROOT
from tests.interop.inventory.trial import Trial
from tests.support.node.kinds import why_no_kind
from tests.support.node.netns import CNI_BIN_DIR, namespace, why_no_kernel_tests

_BUILT = ROOT / "build" / "reference" / "bin"
_DEBIANS = "1.1.1"
_COMPARED = "1.5.0"
"""The first release that is compared: earlier ones speak no cniVersion 1.1.0 and set up less."""


def bin_dir() -> str:
    """Return the folder of the reference plugins."""
    chosen = "NETPLANE_TEST_CNI_BIN_DIR" in os.environ or not (_BUILT / ".version").exists()
    return CNI_BIN_DIR if chosen else str(_BUILT)


def release() -> tuple[int, ...]:
    """Return the release of the reference plugins as numbers."""
    told = Path(bin_dir()) / ".version"
    text = told.read_text().strip() if told.exists() else _DEBIANS
    return _numbers(text)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.removeprefix("v").split("."))


def why_not_here(trial: Trial) -> str:
    """Return why a scenario cannot be played here; "" where it can."""
    if reason := why_no_kernel_tests():
        return reason
    for conf in trial.chain:
        if not os.access(f"{bin_dir()}/{conf['type']}", os.X_OK):
            return f"{bin_dir()}/{conf['type']} is not installed"
    since = max(_COMPARED, trial.since or _COMPARED, key=_numbers)
    if _numbers(since) > release():
        return f"the reference has it since {since}: run scripts/reference-plugins"
    if trial.has_rules and (reason := _why_no_rules()):
        return reason
    return next((reason for kind in trial.kinds if (reason := why_no_kind(kind))), "")


@cache
def _why_no_rules() -> str:
    with namespace("probe") as probe:
        for line in ("nft add table inet x", "iptables -S", "ip6tables -S"):
            command = ["ip", "netns", "exec", probe.name, *line.split()]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                return f"{line} does not work here: {done.stderr.strip()}"
    return ""
