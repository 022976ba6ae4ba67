"""The program as a process: signals, closed streams, what is loaded, how it was called."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("aiohttp", "kubernetes_asyncio", "pyroute2", "cryptography", "grpc")
ENTRY = "from planes.cli.start import run, run_plugin; "


def python(code: str, *argv: str, **given: str) -> subprocess.CompletedProcess[str]:
    """Run code in a Python of its own, without a home directory that has a kubeconfig."""
    return subprocess.run(
        [sys.executable, "-c", code, *argv],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **given},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("argv", [("--help",), ("--version",), ("version",)], ids=" ".join)
def test_little_is_loaded_to_say_what_this_is(argv: Sequence[str]) -> None:
    """A client for the API server takes longer to load than all the rest."""
    say = f"print([name for name in {HEAVY} if name in sys.modules])"
    done = python(f"import sys, atexit; atexit.register(lambda: {say}); {ENTRY} run()", *argv)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_modules_are_loaded_is_one_line(number: signal.Signals) -> None:
    """It comes when the first module behind the entry point is looked for."""
    interrupting = (
        "import os, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path, target=None):\n"
        f"        if name == 'planes.cli.__main__': os.kill(os.getpid(), {int(number)})\n"
        "from planes.cli.start import run\n"
        "sys.meta_path.insert(0, Finder())\n"
        "run()\n"
    )
    done = python(interrupting, "--version")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


def test_an_interrupt_while_a_command_works_is_one_line(tmp_path: Path) -> None:
    """The command reads a file that never comes: a pipe nobody writes to."""
    command = [sys.executable, "-c", f"{ENTRY} run()", "explain", "-f", "-"]
    env = {"PATH": os.environ["PATH"], "NETPLANE_MANIFESTS": str(tmp_path)}
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        _until_it_sleeps_in_a_read(process.pid)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert process.stderr.read() == "interrupted\n"
        assert process.wait() == 130


def _until_it_sleeps_in_a_read(pid: int) -> None:
    """Wait until the process waits for its standard input."""
    while True:
        try:
            words = Path(f"/proc/{pid}/syscall").read_text().split()
        except OSError as error:
            pytest.skip(f"this kernel does not show what a process waits for: {error}")
        # The number of read is 0 on x86-64 and 63 on others; its first argument is the stream.
        if words[:2] in (["0", "0x0"], ["63", "0x0"]):
            return
        os.sched_yield()


@pytest.mark.parametrize("argv", [("--help",), ("pod", "list")], ids=" ".join)
def test_a_reader_that_has_gone_is_told_nothing(tmp_path: Path, argv: Sequence[str]) -> None:
    receiving, sending = os.pipe()
    os.close(receiving)
    done = subprocess.run(
        [sys.executable, "-c", f"{ENTRY} run()", *argv],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "NETPLANE_MANIFESTS": str(tmp_path)},
        stdout=sending,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(sending)
    assert done.stderr == ""
    assert done.returncode in {0, 141}


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("--version",), "cannot write all of the output: No space left on device\n"),
        (("pod", "list"), "cannot go on: No space left on device\n"),
    ],
)
def test_output_that_cannot_be_written_is_a_failure(
    tmp_path: Path, argv: Sequence[str], says: str
) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", f"{ENTRY} run()", *argv],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "NETPLANE_MANIFESTS": str(tmp_path)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith(says)
    assert "Traceback" not in done.stderr


def test_a_closed_stdout_is_no_fault() -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-c", f"{ENTRY} run()", "--version"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_plugin_of_kubectl_calls_itself_so() -> None:
    """It is found as `kubectl-netplane` in PATH; what its help shows can be typed."""
    helped = python(f"{ENTRY} run_plugin()", "ip", "release", "--help").stdout
    assert "usage: kubectl netplane ip release" in helped
    assert "  kubectl netplane ip release --node n7 --dry-run" in helped
    mistaken = python(f"{ENTRY} run_plugin()", "ip", "chekc").stderr
    assert "did you mean kubectl netplane ip check?" in mistaken


def test_both_names_are_installed() -> None:
    programs = Path(sys.executable).parent
    for name, called in (("netplane", "netplane"), ("kubectl-netplane", "kubectl netplane")):
        done = subprocess.run(
            [programs / name, "--help"], capture_output=True, text=True, check=False
        )
        assert done.stdout.startswith(f"usage: {called} COMMAND")
