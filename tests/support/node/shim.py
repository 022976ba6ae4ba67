"""The real shim, compiled for a test and called as a container runtime calls it."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).parents[3] / "cni" / "shim" / "netplane.c"
STRICT = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Werror")
SANITIZED = (*STRICT, "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
NETCONF = b'{"cniVersion":"1.0.0","name":"net","type":"netplane"}'


def compiler() -> str | None:
    """Return the C compiler of `make setup`: musl's where there is one."""
    return shutil.which("musl-gcc") or shutil.which("cc")


def compile_shim(target: Path, *flags: str, cc: str) -> Path:
    """Compile the shim; fail with what the compiler says."""
    command = [cc, *flags, '-DNETPLANE_VERSION="v0.0.1"', "-o", str(target), str(SOURCE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return target


def static_shim(factory: pytest.TempPathFactory) -> Path:
    """Compile the shim as `make setup` does; skip the test where there is no compiler."""
    cc = compiler()
    if cc is None:
        pytest.skip("no C compiler: install gcc")
    return compile_shim(factory.mktemp("shim") / "netplane", *STRICT, "-static", cc=cc)


@dataclass(frozen=True)
class Shim:
    """A compiled shim, and the places it is told of."""

    binary: Path
    directory: Path

    @property
    def socket(self) -> Path:
        return self.directory / "cni.sock"

    @property
    def state(self) -> Path:
        return self.directory / "state"

    def env(self, command: str | None, **more: str | None) -> dict[str, str]:
        """Return the environment of a call; None takes a variable away."""
        call: dict[str, str | None] = {
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": "c0ffee",
            "CNI_NETNS": "/run/netns/x",
            "CNI_IFNAME": "eth0",
            "CNI_PATH": "/opt/cni/bin",
            "NETPLANE_SOCKET": str(self.socket),
            "NETPLANE_STATE_DIR": str(self.state),
            "NETPLANE_WAIT_SECONDS": "0",
            **more,
        }
        return {name: value for name, value in call.items() if value is not None}

    def run(
        self, command: str | None, stdin: bytes = NETCONF, **more: str | None
    ) -> subprocess.CompletedProcess[bytes]:
        """Call it; a signal would show as a negative return code."""
        return subprocess.run(
            [self.binary],
            input=stdin,
            env=self.env(command, **more),
            capture_output=True,
            timeout=25,
            check=False,
        )

    def start(self, command: str, **more: str | None) -> subprocess.Popen[bytes]:
        """Start it with pipes, for calls that must go on while the test acts."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [self.binary], stdin=pipe, stdout=pipe, stderr=pipe, env=self.env(command, **more)
        )

    def spooled(self) -> list[Path]:
        """Return the files in the spool, in the order of a replay."""
        spool = self.state / "spool"
        return sorted(spool.iterdir()) if spool.exists() else []


def error_of(done: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    """Return the CNI error a failed call printed, after checking all that every error has."""
    error = json.loads(done.stdout)
    assert done.returncode == 1
    assert error.keys() <= {"cniVersion", "code", "msg", "details"}
    assert error["cniVersion"]
    assert done.stdout.startswith(b'{\n    "cniVersion"')
    assert done.stdout.endswith(b"\n}")
    return dict(error)
