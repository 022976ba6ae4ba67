"""Where the programs of a cluster are: built by `scripts/cluster-binaries`, or Debian's.

A test that needs one that is not there is skipped, and its reason says how to get it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUILT = ROOT / "build" / "cluster" / "bin"

CONTROL_PLANE = ("etcd", "kube-apiserver", "kubectl", "setpriv")
NODES = (
    *CONTROL_PLANE,
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "containerd",
    "runc",
    "ctr",
    "nft",
    "nsenter",
    "unshare",
    "busybox",
)


def folder() -> Path:
    """Return the folder with the Kubernetes programs: $E2E_BIN, else the checkout's own build."""
    return Path(os.environ.get("E2E_BIN") or BUILT)


def find(name: str) -> Path | None:
    """Return the program of that name: from the built ones first, then from PATH."""
    built = folder() / name
    if os.access(built, os.X_OK):
        return built
    found = shutil.which(name)
    return Path(found) if found else None


def program(name: str) -> str:
    """Return the path of a program that `why_missing` was asked about.

    Raises:
        FileNotFoundError: It is not there.
    """
    found = find(name)
    if found is None:
        raise FileNotFoundError(why_missing([name]))
    return str(found)


def why_missing(names: Iterable[str]) -> str:
    """Return which programs are missing and how to get them; "" where all are there."""
    missing = [name for name in names if find(name) is None]
    if not missing:
        return ""
    return f"needs {', '.join(missing)}: run scripts/cluster-binaries (`make e2e` does)"
