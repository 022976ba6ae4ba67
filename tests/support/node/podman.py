"""Podman with a home of its own: nothing of the machine's podman is read or written.

What cannot be put elsewhere (the cache of its CNI library) is removed where it was not there
before. Its containers run a static busybox.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.node.netns import CNI_BIN_DIR

_CNI_CACHE = Path("/var/lib/cni")
_LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")

_CONF = """\
[network]
network_backend = "cni"
cni_plugin_dirs = ["{home}/bin", "{plugins}"]
network_config_dir = "{home}/net.d"
default_network = "planes"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
tmp_dir = "{home}/tmp"
static_dir = "{home}/static"
volume_path = "{home}/volumes"
env = [{env}]
runtime = "runc"
[engine.runtimes]
runc = ["{home}/runtime/runc"]
"""


def why_no_podman() -> str:
    """Return why podman cannot be run here; "" where it can."""
    for program in ("podman", "conmon", "runc"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    if _busybox() is None:
        return "no static busybox is installed"
    return ""


@dataclass(frozen=True, slots=True)
class Podman:
    """A podman.

    Attributes:
        home: everything it reads and writes.
    """

    home: Path

    def network(self, name: str, conflist: Mapping[str, Any]) -> None:
        """Write a network, as `podman run --network NAME` finds it."""
        (self.home / "net.d" / f"{name}.conflist").write_text(json.dumps(conflist))

    def run(self, *argv: str) -> str:
        """Run a podman command; return its output."""
        done = self.attempt(*argv)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def attempt(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a podman command that may fail."""
        return subprocess.run(
            [*self._command, *argv],
            env=self._env,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def start(
        self,
        name: str,
        network: str,
        *options: str,
        command: Sequence[str] = ("sleep", "600"),
    ) -> subprocess.CompletedProcess[str]:
        """Start a container on a network; it sleeps, or runs another busybox command."""
        return self.attempt(
            *("run", "-d", "--name", name, "--network", network, *_LIMITS, *options),
            *("--cgroup-parent", self._cgroup, "--rootfs", str(self.home / "rootfs")),
            *("/bin/busybox", *command),
        )

    def script(self, text: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run commands in a shell whose `podman` is this one, with `busybox` for an image."""
        command = f"command {shlex.join(self._command)}"  # not the function
        limits = shlex.join((*_LIMITS, "--cgroup-parent", self._cgroup))
        function = f"""\
set -e
podman() {{
  verb=$1; shift
  if [ "$verb" != run ]; then {command} "$verb" "$@"; return; fi
  set -- run {limits} "$@"
  for word; do
    shift
    if [ "$word" = busybox ]; then set -- "$@" --rootfs {self.home}/rootfs /bin/busybox
    else set -- "$@" "$word"; fi
  done
  {command} "$@"
}}
"""
        return subprocess.run(
            ["sh", "-c", function + text],
            env={**self._env, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )

    def inside(self, name: str, *argv: str) -> str:
        """Run a busybox command in a container."""
        return self.run("exec", name, "/bin/busybox", *argv)

    def remove_all(self) -> None:
        """Remove every container, and their cgroups once the last helper process has ended."""
        self.attempt("rm", "-f", "-a", "-t", "0")
        deadline = time.monotonic() + 40
        while groups := list(Path("/sys/fs/cgroup").glob(f"*{self._cgroup}")):
            assert time.monotonic() < deadline, f"podman left {groups}"
            for made in groups:
                for directory in (*sorted(made.rglob("*"), reverse=True), made):
                    if directory.is_dir():
                        with suppress(OSError):  # still in use
                            directory.rmdir()
            time.sleep(0.02)

    @property
    def _command(self) -> tuple[str, ...]:
        places = ("--root", str(self.home / "root"), "--runroot", str(self.home / "run"))
        return ("podman", *places, "--storage-driver", "vfs")

    @property
    def _env(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "CONTAINERS_CONF": str(self.home / "containers.conf")}

    @property
    def _cgroup(self) -> str:
        return f"/{self.home.name}"


@contextmanager
def podman(shim: Path, variables: Mapping[str, str]) -> Iterator[Podman]:
    """Make a podman that knows the plugin; `variables` are set wherever it calls a plugin."""
    home = Path(tempfile.mkdtemp(prefix="np-t-"))  # podman wants a path below 50 characters
    for directory in ("bin", "net.d", "rootfs/bin", "runtime"):
        (home / directory).mkdir(parents=True)
    for directory in ("proc", "sys", "dev", "etc", "run", "tmp"):
        (home / "rootfs" / directory).mkdir()
    (home / "bin" / "netplane").symlink_to(shim)
    runtime = home / "runtime" / "runc"
    runtime.write_text(f'#!/bin/sh\nexec {shutil.which("runc")} --root {home}/runc "$@"\n')
    runtime.chmod(0o755)
    busybox = _busybox()
    assert busybox is not None
    shutil.copy(busybox, home / "rootfs" / "bin" / "busybox")
    env = ", ".join(json.dumps(f"{name}={value}") for name, value in variables.items())
    (home / "containers.conf").write_text(_CONF.format(home=home, plugins=CNI_BIN_DIR, env=env))
    made_by_podman = [place for place in (_CNI_CACHE / "results", _CNI_CACHE) if not place.exists()]
    made = Podman(home)
    try:
        yield made
    finally:
        made.remove_all()
        shutil.rmtree(home)
        for place in made_by_podman:
            with suppress(OSError):  # somebody else uses it by now, or podman never did
                place.rmdir()


def _busybox() -> str | None:
    """Return the busybox, if it needs no library of the container."""
    found = shutil.which("busybox")
    if found is None:
        return None
    is_static = b"/ld-linux" not in Path(found).read_bytes()[:4096]
    return found if is_static else None
