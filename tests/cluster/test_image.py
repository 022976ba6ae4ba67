"""The image starts both programs on every architecture it is built for; `make image` builds it."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cni.host.chroot import command
from tests.cluster.lab.binaries import ROOT

IMAGES = ROOT / "build" / "image"
LIB = "opt/netplane/lib"


class Unpacked:
    """An image's configuration and, as a folder, its file system."""

    def __init__(self, image: Path, folder: Path) -> None:
        self.root = folder
        with tarfile.open(image) as tar:
            index = self._read(tar, "index.json")
            manifest = self._blob(tar, index["manifests"][0]["digest"])
            self.config = self._blob(tar, manifest["config"]["digest"])
            for layer in manifest["layers"]:
                blob = tar.extractfile(f"blobs/sha256/{layer['digest'].removeprefix('sha256:')}")
                assert blob is not None
                # Early Python 3.11 cannot extract as safely as later ones insist on.
                packed = folder.with_name(f"{folder.name}-layer")
                packed.write_bytes(blob.read())
                _output(["tar", "-xpf", str(packed), "-C", str(folder)])
                packed.unlink()

    def run(self, *argv: str, user: int = 65532) -> str:
        """Run a program of it, on a read-only root, as an ordinary user."""
        script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'
        start = ["unshare", "--mount", "sh", "-ec", script, "sh", str(self.root)]
        inside = [str(shutil.which("chroot")), f"--userspec={user}:{user}", str(self.root)]
        env = dict(item.split("=", 1) for item in self.config["config"]["Env"])
        return _output([*start, *inside, *argv], env)

    def _blob(self, tar: tarfile.TarFile, digest: str) -> Any:
        return self._read(tar, f"blobs/sha256/{digest.removeprefix('sha256:')}")

    @staticmethod
    def _read(tar: tarfile.TarFile, name: str) -> Any:
        member = tar.extractfile(name)
        assert member is not None
        return json.load(member)


def _output(argv: list[str], env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _unpacked(arch: str, folder: Path) -> Unpacked:
    image = IMAGES / f"netplane-{arch}.tar"
    if not image.exists():
        pytest.skip(f"needs {image.relative_to(ROOT)}: run `make image ARCH={arch}`")
    return Unpacked(image, folder)


@pytest.fixture(scope="module")
def amd64(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unpacked]:
    folder = tmp_path_factory.mktemp("amd64")
    folder.chmod(0o755)
    yield _unpacked("amd64", folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def arm64(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unpacked]:
    if shutil.which("qemu-aarch64-static") is None:
        pytest.skip("needs qemu-aarch64-static (Debian's qemu-user-static)")
    folder = tmp_path_factory.mktemp("arm64")
    yield _unpacked("arm64", folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("program", ["webhook", "cni"])
def test_a_program_runs_as_nobody_on_a_read_only_root(amd64: Unpacked, program: str) -> None:
    assert "usage:" in amd64.run("python3", "-m", program, "--help")


def test_it_has_what_runs_programs_of_the_node(amd64: Unpacked) -> None:
    (entering, *_) = command("/host", ["plugin"])
    assert "chroot" in amd64.run(entering, "--version")


@pytest.mark.parametrize("program", ["webhook", "cni"])
def test_a_program_runs_on_arm64(arm64: Unpacked, program: str) -> None:
    root = arm64.root
    env = ["env", f"PYTHONHOME={root}/usr", f"PYTHONPATH={root}/{LIB}", "PYTHONDONTWRITEBYTECODE=1"]
    python = ["qemu-aarch64-static", "-L", str(root), f"{root}/usr/bin/python3.11"]
    assert "usage:" in _output([*env, *python, "-m", program, "--help"])


def test_the_shim_of_each_architecture_is_its_own(amd64: Unpacked, arm64: Unpacked) -> None:
    machine = {
        image: (image.root / "opt/netplane/bin/netplane").read_bytes()[18:20]
        for image in (amd64, arm64)
    }
    assert (machine[amd64], machine[arm64]) == (b"\x3e\x00", b"\xb7\x00")


def test_it_runs_as_an_ordinary_user_unless_told_otherwise(amd64: Unpacked) -> None:
    assert amd64.config["config"]["User"] == "65532:65532"


def test_every_library_of_the_lock_is_in_the_bill_of_materials(amd64: Unpacked) -> None:
    documents = amd64.root / "usr/share/doc/netplane"
    bill = json.loads((documents / "sbom.cdx.json").read_text())
    listed = {f"{one['name']}=={one['version']}" for one in bill["components"]}
    lock = (documents / "requirements.lock").read_text()
    locked = {line.split()[0] for line in lock.splitlines() if line[:1].isalpha()}
    assert {one for one in locked if one.split("==")[0] != "win-inet-pton"} == listed


def test_nothing_of_this_machine_is_in_it(amd64: Unpacked) -> None:
    """Byte code names its sources; it must be where they are in the image."""
    found = [
        str(path)
        for path in (amd64.root / LIB / "planes").rglob("*.pyc")
        if str(ROOT).encode() in path.read_bytes()
    ]
    assert found == []


def test_the_byte_code_of_our_packages_is_in_it(amd64: Unpacked) -> None:
    sources = {path.stem for path in (amd64.root / LIB / "cni").glob("*.py")}
    compiled = {path.name.split(".")[0] for path in (amd64.root / LIB / "cni").glob("**/*.pyc")}
    assert sources <= compiled
