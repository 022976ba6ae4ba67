"""Whether a cluster can run on this machine at all, beyond the programs that it takes."""

from __future__ import annotations

import os
import subprocess

from tests.cluster.lab import cgroups
from tests.cluster.lab.binaries import ROOT

# Entering a mount namespace leads to its root: out of a chroot, where nothing of ours is.
_SEES_CHECKOUT = ("nsenter", "--mount=/proc/self/ns/mnt", "--", "test", "-d", str(ROOT / "tests"))
_MAKES_NAMESPACES = ("unshare", "--mount", "--net", "--pid", "--uts", "--fork", "true")


def why_impossible() -> str:
    """Return what the machine does not allow; "" where it allows all."""
    if os.geteuid() != 0:
        return "needs root"
    if said := _failed(_MAKES_NAMESPACES):
        return f"needs namespaces of its own: {said}"
    if _failed(_SEES_CHECKOUT):
        return "cannot run in a chroot: the namespaces of its nodes lead out of it"
    groups = f"/netplane-possible-{os.getpid()}"
    try:
        cgroups.make(groups)
    except OSError as error:
        return f"needs control groups it may write: {error}"
    finally:
        cgroups.remove(groups, seconds=1)
    return ""


def _failed(argv: tuple[str, ...]) -> str:
    """Return what a command said as it failed, "" where it did not."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (done.stderr.strip() or f"exit code {done.returncode}") if done.returncode else ""
