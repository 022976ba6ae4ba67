"""Finds and runs plugin binaries.

Invariant: when `run` returns or raises, the program and its child processes have exited
(`cni.host.containment`); its output is bounded and it has a deadline.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from cni.host import chroot
from cni.host.containment import Containment, Run
from cni.host.processes import MARK
from planes.model.errors import Internal, Unavailable
from planes.run.clock import Clock
from planes.run.shielded import shielded

MAX_OUTPUT: Final = 1 << 20  # bytes on stdout or stderr; a result has a few kilobytes
BUSY_TRIES: Final = 6
BUSY_PAUSE: Final = 1.0
_KILL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Completed:
    """The outcome of a program: exit status (negative: the signal), stdout, stderr."""

    code: int
    stdout: bytes
    stderr: bytes


class Exec(Protocol):
    """Finds and runs plugin binaries."""

    def find(self, name: str, directories: Sequence[str]) -> str | None:
        """Return the first `directory/name` that is a regular file (the x bit is not tested)."""
        ...

    async def run(
        self, path: str, env: Mapping[str, str], stdin: bytes, deadline: float
    ) -> Completed:
        """Run a program until it exits, or kill it after `deadline` seconds.

        Raises:
            Internal: it could not be started, or wrote more than `MAX_OUTPUT` bytes.
            Unavailable: it did not end in time.
        """
        ...


class SystemExec:
    """Real programs, each in a process group of its own.

    Args:
        environment: of every program, beside that of the call; PATH is replaced by the node's
            (`chroot.search_path`).
        clock: for the pauses before a busy binary is tried again.
        root: the root directory that programs are looked up and run with; "" is ours.
        containment: kills the processes that programs leave.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        clock: Clock,
        root: str = "",
        containment: Containment | None = None,
    ) -> None:
        self._environment = chroot.environment(root, environment)
        self._clock = clock
        self._root = root
        self._containment = containment or Containment(f"{os.getpid()}")
        self._running: set[asyncio.subprocess.Process] = set()
        self._halted = asyncio.Event()

    def halt(self) -> None:
        """Kill all programs and start no more: the deadline of the drain is over."""
        self._halted.set()
        for process in self._running:
            _kill(process)

    def find(self, name: str, directories: Sequence[str]) -> str | None:
        """Return the first regular file of that name."""
        if not name or "/" in name:
            return None
        for directory in directories:
            path = f"{directory}/{name}"
            with suppress(OSError, ValueError):
                if chroot.is_file(self._root, path):
                    return path
        return None

    async def run(
        self, path: str, env: Mapping[str, str], stdin: bytes, deadline: float
    ) -> Completed:
        """Run a program; retry a binary that is being replaced (ETXTBSY)."""
        for attempt in range(1, BUSY_TRIES + 1):
            done = await self._try(path, {**self._environment, **env}, stdin, deadline)
            if isinstance(done, Completed):
                return done
            if done != os.strerror(errno.ETXTBSY) or attempt == BUSY_TRIES:
                raise Internal(f"cannot start the plugin {path}: {done}")
            await self._clock.sleep(BUSY_PAUSE)
        raise Internal(f"cannot start the plugin {path}: text file busy")

    async def _try(
        self, path: str, env: Mapping[str, str], stdin: bytes, deadline: float
    ) -> Completed | str:
        """Run a program until it exits; return why, where it could not be started."""
        if self._halted.is_set():
            raise _stopping(path)
        run = self._containment.begin()
        is_over = False
        try:
            await self._containment.record(run)
            try:
                process = await self._start(path, {**env, MARK: run.mark})
            except OSError as error:
                return chroot.chroot_failed(self._root, error.strerror or str(error))
            run.pid = process.pid
            stdout, stderr, code = await self._communicate(process, run, path, stdin, deadline)
            is_over = True
        finally:
            await shielded(self._containment.end(run, is_over=is_over))
        if self._halted.is_set() and code < 0:
            raise _stopping(path)
        if max(len(stdout), len(stderr)) > MAX_OUTPUT:
            raise Internal(
                f"cannot run the plugin {path}: it printed over {MAX_OUTPUT} bytes",
                remedy="its result belongs on stdout, all else into a log file of its own",
            )
        fault = chroot.could_not_start(self._root, code, stderr)
        return fault or Completed(code, stdout, stderr)

    async def _communicate(
        self,
        process: asyncio.subprocess.Process,
        run: Run,
        path: str,
        stdin: bytes,
        deadline: float,
    ) -> tuple[bytes, bytes, int]:
        """Return stdout, stderr and exit status; the program is reaped, also when this raises."""
        self._running.add(process)
        if self._halted.is_set():  # meanwhile
            _kill(process)
        is_over = False
        try:
            async with asyncio.timeout(deadline):
                stdout, stderr = await _exchange(process, stdin)
                code = await process.wait()
            is_over = True
        except TimeoutError as error:
            raise Unavailable(
                f"cannot run the plugin {path}: it did not end within {deadline:g} s",
                remedy="see what the plugin waits for; the deadline is --plugin-deadline",
            ) from error
        finally:
            self._running.discard(process)
            if not is_over:
                await shielded(self._kill(process, run))
        return stdout, stderr, code

    async def _kill(self, process: asyncio.subprocess.Process, run: Run) -> None:
        """Kill a program and wait for it; asyncio may report its exit only when its pipes close."""
        _kill(process)
        gone = asyncio.ensure_future(process.wait())
        while not (await asyncio.wait({gone}, timeout=_KILL_SECONDS))[0]:
            await self._containment.end_orphans(run)
        await self._containment.end_orphans(run)
        with suppress(TimeoutError):
            async with asyncio.timeout(_KILL_SECONDS):
                for pipe in (process.stdout, process.stderr):
                    await _discard(pipe)

    async def _start(self, path: str, env: Mapping[str, str]) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *chroot.command(self._root, [path]),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(env),
            start_new_session=True,
        )


def _stopping(path: str) -> Unavailable:
    return Unavailable(
        f"cannot run the plugin {path}: the netplane daemon is stopping",
        remedy="it is tried again when the daemon is back",
    )


async def _exchange(process: asyncio.subprocess.Process, stdin: bytes) -> tuple[bytes, bytes]:
    pipes = process.stdin, process.stdout, process.stderr
    if pipes[0] is None or pipes[1] is None or pipes[2] is None:
        raise Internal("cannot talk to a plugin without its pipes")
    _, stdout, stderr = await asyncio.gather(
        _feed(pipes[0], stdin), _drain(pipes[1], process), _drain(pipes[2], process)
    )
    return stdout, stderr


async def _feed(pipe: asyncio.StreamWriter, data: bytes) -> None:
    # A plugin need not read stdin (DEL of some does not), so a broken pipe is no error.
    with suppress(ConnectionError):
        pipe.write(data)
        await pipe.drain()
    pipe.close()
    with suppress(ConnectionError):
        await pipe.wait_closed()


async def _drain(pipe: asyncio.StreamReader, process: asyncio.subprocess.Process) -> bytes:
    chunks = bytearray()
    while chunk := await pipe.read(1 << 16):
        chunks += chunk
        if len(chunks) > MAX_OUTPUT:
            _kill(process)
            await _discard(pipe)
            break
    return bytes(chunks)


async def _discard(pipe: asyncio.StreamReader | None) -> None:
    """Read until EOF: a pipe with unread data is not closed."""
    while pipe is not None and await pipe.read(1 << 16):
        pass


def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill the process group (an IPAM binary would hold our pipes open)."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
