"""Plugin binaries of a test's own: shell scripts that the daemon executes."""

from __future__ import annotations

from pathlib import Path

HANGING = "exec sleep 1000"
RESULT = """
case $CNI_COMMAND in
ADD) echo '{"cniVersion":"1.0.0","interfaces":[],"ips":[]}';;
esac
"""


def write_plugin(directory: Path, kind: str, text: str) -> Path:
    """Write a plugin; return its path."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / kind
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path
