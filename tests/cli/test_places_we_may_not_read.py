"""Folders that may not be searched: each command says so in one line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

POD = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}, spec: {containers: []}}"
# root may search every folder by these two.
BOUND = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]

pytestmark = pytest.mark.skipif(
    os.geteuid() == 0 and shutil.which("setpriv") is None, reason="setpriv is missing"
)


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody may search."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0)
    yield folder
    folder.chmod(0o700)


def run(*words: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a command as a process that may read only what the modes of files permit."""
    before = BOUND if os.geteuid() == 0 else []
    command = [*before, sys.executable, "-m", "planes.cli", *words]
    env = {"PATH": os.environ["PATH"], "HOME": str(home)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


@pytest.mark.skipif(os.geteuid() != 0, reason="makes pods: needs root")
def test_pod_add_names_a_certificate_that_it_may_not_read(closed: Path, tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(POD)
    shim = tmp_path / "shim"
    shim.touch()
    given = ("--manifests", str(tmp_path), "--ca", f"{closed}/ca.crt", "--shim", str(shim))
    done = run("pod", "add", "-f", f"{tmp_path}/pod.yaml", *given, home=tmp_path)
    told = f"cannot read the CA file {closed}/ca.crt: Permission denied"
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, told)


@pytest.mark.skipif(os.geteuid() != 0, reason="makes pods: needs root")
def test_pod_add_names_a_shim_that_it_may_not_read(closed: Path, tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(POD)
    given = ("--manifests", str(tmp_path), "--ca", "ca.crt", "--shim", f"{closed}/netplane")
    done = run("pod", "add", "-f", f"{tmp_path}/pod.yaml", *given, home=tmp_path)
    told = f"cannot find the shim {closed}/netplane"
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, told)


def test_doctor_looks_at_a_machine_whose_user_has_an_unreadable_home(closed: Path) -> None:
    """`su` and `setpriv` keep HOME."""
    done = run("doctor", "--socket", "/nowhere/cni.sock", home=closed)
    assert done.returncode == 1
    assert "error: no daemon listens at /nowhere/cni.sock" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [("status",), ("ip", "show"), ("dump", "-f", "x.tar.gz")])
def test_a_cluster_is_not_looked_for_in_an_unreadable_home(
    words: tuple[str, ...], closed: Path
) -> None:
    done = run(*words, home=closed)
    assert done.returncode == 1
    assert done.stderr.count("\n") <= 3, done.stderr
    assert f"{closed}/.kube/config" in done.stderr


def test_status_does_not_call_a_daemon_away_that_it_may_not_ask(
    closed: Path, tmp_path: Path
) -> None:
    """Nor a webhook whose ca.crt it may not read: to start them would mend nothing."""
    (tmp_path / "m").mkdir()
    given = ("--socket", f"{closed}/cni.sock", "--ca", f"{closed}/ca.crt")
    done = run("status", "--manifests", f"{tmp_path}/m", *given, home=tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines()[:2] == ["daemon    not known", "webhook   not known"]
    assert done.stdout.count("Permission denied") == 2
    assert "start netplane" not in done.stdout
