"""The shim as a binary: how it is built, what it answers without any daemon, how fast it is."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import time
from pathlib import Path

import pytest

from planes.model.wire.cniversion import SUPPORTED
from tests.support.node.shim import SOURCE, STRICT, Shim, compile_shim, compiler, error_of

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def machine_of(binary: Path) -> int:
    """Return the ELF header's machine: 62 is x86-64, 183 is AArch64."""
    return int.from_bytes(binary.read_bytes()[18:20], "little")


def test_the_source_stays_below_300_lines() -> None:
    assert len(SOURCE.read_text().splitlines()) < 300


def test_the_source_reads_no_json_and_allocates_nothing() -> None:
    text = SOURCE.read_text()
    assert not [word for word in ("malloc(", "calloc(", "realloc(", "alloca(") if word in text]


def test_the_binary_needs_no_library(static_binary: Path) -> None:
    assert b"/ld-" not in static_binary.read_bytes()


@pytest.mark.parametrize("cc", ["gcc", "musl-gcc", "clang"])
def test_builds_without_warning_by(cc: str, tmp_path: Path) -> None:
    if shutil.which(cc) is None:
        pytest.skip(f"{cc} is not installed")
    compile_shim(tmp_path / "netplane", *STRICT, "-Wshadow", "-Wconversion", "-static", cc=cc)


def test_builds_for_arm64(tmp_path: Path) -> None:
    cc = "aarch64-linux-gnu-gcc"
    if shutil.which(cc) is None:
        pytest.skip(f"{cc} is not installed: gcc-aarch64-linux-gnu and libc6-dev-arm64-cross")
    assert machine_of(compile_shim(tmp_path / "arm64", *STRICT, "-static", cc=cc)) == 183


def test_the_arm64_shim_runs(tmp_path: Path) -> None:
    cc, emulator = "aarch64-linux-gnu-gcc", shutil.which("qemu-aarch64-static")
    if shutil.which(cc) is None or emulator is None:
        pytest.skip(f"{cc} and qemu-aarch64-static are not both installed")
    binary = compile_shim(tmp_path / "arm64", *STRICT, "-static", cc=cc)
    done = subprocess.run(
        [emulator, binary], env={"CNI_COMMAND": "VERSION"}, capture_output=True, check=True
    )
    assert b'"cniVersion":"1.1.0"' in done.stdout


def test_make_builds_it_with_the_version_of_the_project(tmp_path: Path) -> None:
    if compiler() is None or shutil.which("make") is None:
        pytest.skip("gcc and make are not both installed")
    shutil.copytree(ROOT / "cni" / "shim", tmp_path / "cni" / "shim")
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "9.8.7"\n')
    subprocess.run(
        ["make", "-f", "cni/shim/build.mk", "build/netplane"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    about = subprocess.run([tmp_path / "build/netplane"], env={}, capture_output=True, check=True)
    assert about.stderr.startswith(b"CNI netplane plugin v9.8.7\n")
    assert b"netplane.io/cni-shim" in (tmp_path / "build/netplane").read_bytes()


def test_version_is_answered_without_a_daemon(shim: Shim) -> None:
    done = shim.run("VERSION", b"")
    known = ",".join(f'"{version}"' for version in SUPPORTED)
    wanted = f'{{"cniVersion":"1.1.0","supportedVersions":[{known}]}}\n'
    assert (done.returncode, done.stdout) == (0, wanted.encode())


@pytest.mark.parametrize("command", [None, ""])
def test_without_a_command_it_says_what_it_is(shim: Shim, command: str | None) -> None:
    done = shim.run(command, b"")
    about = "CNI netplane plugin v0.0.1\nCNI protocol versions supported: " + ", ".join(SUPPORTED)
    assert (done.returncode, done.stdout, done.stderr.decode()) == (0, b"", about + "\n")


@pytest.mark.parametrize("command", ["add", "ADD ", 'X"\\', "FOO"])
def test_an_unknown_command_is_code_4(shim: Shim, command: str) -> None:
    error = error_of(shim.run(command))
    message = f"cannot serve unknown CNI_COMMAND: {command}"
    assert (error["code"], error["msg"]) == (4, message)


def test_valgrind_finds_nothing(tmp_path: Path, directory: Path) -> None:
    if shutil.which("valgrind") is None or shutil.which("gcc") is None:
        pytest.skip("valgrind and gcc are not both installed")
    # dynamic: valgrind replaces the string functions of a shared libc only
    binary = compile_shim(tmp_path / "netplane", *STRICT, "-g", cc="gcc")
    for command, status in (("DEL", 0), ("ADD", 1), ("VERSION", 0)):
        done = subprocess.run(
            ["valgrind", "-q", "--error-exitcode=99", binary],
            env={**Shim(binary, directory).env(command), "PATH": "/usr/bin:/bin"},
            input=b"{}",
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (status, b"")


def test_the_stopwatch_measures_a_call(shim: Shim, tmp_path: Path) -> None:
    """The goal is 1.5 ms (`make bench`); a test on a busy machine only sees the magnitude."""
    cc = compiler()
    assert cc is not None
    for name in ("instant_server", "stopwatch"):
        source = HERE / f"{name}.c"
        subprocess.run([cc, *STRICT, "-o", tmp_path / name, source], check=True)
    with subprocess.Popen([tmp_path / "instant_server", shim.socket]) as server:
        while not shim.socket.exists():
            time.sleep(0.01)
        try:
            times = subprocess.run(
                [tmp_path / "stopwatch", "100", "/dev/null", shim.binary],
                env=shim.env("ADD", NETPLANE_WAIT_SECONDS="5"),
                capture_output=True,
                check=True,
            ).stdout.split()
        finally:
            server.terminate()
    assert statistics.median(map(float, times)) < 15_000
