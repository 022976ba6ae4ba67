"""Processes of a benchmark: timed calls, and programs that serve meanwhile.

A call is spawned from the calling thread, so it starts directly in that thread's network namespace.
What `running` started ends with its block.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from planes.cli.interrupts import held_back

ROOT = Path(__file__).resolve().parents[2]
_READY_SECONDS = 30.0


def call(argv: Sequence[str], env: Mapping[str, str], stdin: bytes) -> bytes:
    """Run a program to its end; return its stdout.

    Raises:
        RuntimeError: it failed; the text has its output.
    """
    given = os.memfd_create("stdin")
    out, its_out = os.pipe()
    try:
        os.write(given, stdin)
        os.lseek(given, 0, os.SEEK_SET)
        actions = [
            (os.POSIX_SPAWN_DUP2, given, 0),
            (os.POSIX_SPAWN_DUP2, its_out, 1),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ]
        pid = os.posix_spawn(argv[0], list(argv), dict(env), file_actions=actions)
        os.close(its_out)
        its_out = -1
        said = []
        while chunk := os.read(out, 65536):
            said.append(chunk)
        _, status = os.waitpid(pid, 0)
    finally:
        for fd in (given, out, its_out):
            if fd >= 0:
                os.close(fd)
    answer = b"".join(said)
    if status:
        text = answer.decode("utf-8", "replace")[:500]
        raise RuntimeError(f"{argv[0]} {env.get('CNI_COMMAND', '')} failed ({status}): {text}")
    return answer


@contextmanager
def running(
    command: Sequence[str], log: Path, is_ready: Callable[[], bool]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program that serves during the block.

    Raises:
        RuntimeError: it does not get ready; with the last line of its log.
    """
    process: subprocess.Popen[bytes] | None = None
    try:
        with log.open("ab") as sink, held_back():
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                cwd=ROOT,
                start_new_session=True,  # Ctrl-C is for the benchmark, which then ends it in order
            )
        deadline = time.monotonic() + _READY_SECONDS
        while not is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                lines = log.read_text(errors="replace").splitlines() or ["it says nothing"]
                raise RuntimeError(f"cannot start {' '.join(command)}: {lines[-1][:500]}")
            time.sleep(0.02)
        yield process
    finally:
        if process is not None:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def resident_mebibytes(pid: int) -> float:
    """Return the resident memory of a process (VmRSS), in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} has ended")


def cpu_seconds(pid: int) -> float:
    """Return the processor time that the threads of a process have used, user and system.

    From `schedstat`, in nanoseconds: the clock ticks of `/proc/PID/stat` are 10 ms long, more than
    a pod takes. Threads that have ended are not counted.
    """
    used = 0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError):  # the thread ends just now
            used += int(path.read_text().split()[0])
    return used / 1e9
