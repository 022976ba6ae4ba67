"""Credential plugins for tests: small shell scripts that count their runs."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from planes.kube.client.credential_plugin import CredentialPlugin

V1 = "client.authentication.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class Script:
    """A plugin `aws-login` in a folder; `$n` in what it prints is the number of its run."""

    folder: Path

    @property
    def path(self) -> Path:
        """Return where the script is."""
        return self.folder / "aws-login"

    @property
    def plugin(self) -> CredentialPlugin:
        """Return it as a kubeconfig would name it."""
        return CredentialPlugin((str(self.path),), V1, dict(os.environ))

    @property
    def runs(self) -> int:
        """Return how often it was run."""
        counted = self.folder / "runs"
        return len(counted.read_text().splitlines()) if counted.exists() else 0

    def does(self, commands: str) -> None:
        """Write the script: it counts its run, then does this."""
        counted = shlex.quote(str(self.folder / "runs"))
        head = f"#!/bin/sh\necho run >> {counted}\nn=$(wc -l < {counted})\n"
        new = self.folder / "new"
        new.write_text(f"{head}{commands}\n")
        new.chmod(0o755)
        new.rename(self.path)

    def prints(self, **status: Any) -> None:
        """Write the script: it prints an ExecCredential with this status."""
        self.does(f"cat <<EOF\n{credential(**status)}\nEOF")


def credential(**status: Any) -> str:
    """Return an ExecCredential."""
    return orjson.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": status}).decode()
