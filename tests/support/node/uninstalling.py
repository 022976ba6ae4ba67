"""Installing on a node and uninstalling from it, by the commands that a cluster runs there."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.node.netns import CNI_BIN_DIR
from tests.support.node.node import ROOT, LiveNode

Tree = dict[str, tuple[int, bytes]]


def bin_dir(node: LiveNode) -> Path:
    """Return where the shim is installed on the node."""
    return node.home / "bin"


def install(node: LiveNode) -> subprocess.CompletedProcess[str]:
    """Run `install` on the node."""
    flags = ["--shim", str(node.shim), "--cni-bin-dir", str(bin_dir(node))]
    return _run(node, "install", flags)


def uninstall(node: LiveNode, *more: str) -> subprocess.CompletedProcess[str]:
    """Run `uninstall` on the node."""
    return _run(node, "uninstall", [*uninstall_flags(node), *more])


def uninstall_flags(node: LiveNode) -> Sequence[str]:
    """Return the flags of `uninstall` that say where everything is."""
    return (
        *("--node", "node1", "--socket", str(node.socket), "--state-dir", str(node.state)),
        *("--cni-conf-dir", str(node.conf_dir)),
        *("--cni-bin-dir", f"{bin_dir(node)}:{CNI_BIN_DIR}"),
    )


def tree(*directories: Path) -> Tree:
    """Return every file and directory: its mode and content."""
    found: Tree = {}
    for directory in directories:
        for path in [directory, *directory.rglob("*")]:
            if path.exists() and not stat.S_ISSOCK(path.stat().st_mode):
                content = path.read_bytes() if path.is_file() else b""
                found[str(path)] = (path.stat().st_mode, content)
    return found


def _run(node: LiveNode, command: str, flags: Sequence[str]) -> subprocess.CompletedProcess[str]:
    argv = ["nsenter", f"--net={node.host.path}", "--", sys.executable, "-m", "cni", command]
    return subprocess.run(
        [*argv, *flags], cwd=ROOT, capture_output=True, text=True, check=False, timeout=100
    )
