"""The daemon's command line."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TextIO

from cni.daemon import Daemon, World, hold_state
from cni.net.kernel import Kernel
from cni.probe import Silent
from cni.settings import PROG, Settings, read_settings
from cni.system import SystemExec
from planes.model.errors import Denied, PlanesError
from planes.run.clock import SystemClock
from planes.run.logs import configure
from planes.store.directory import DirStore

# A DEL waits 5 to 20 ms for the kernel's grace period, and many can wait at the same time.
KERNEL_THREADS: Final = 32
# Journal, status, address files: short, and more threads would only contend for the interpreter.
FILE_THREADS: Final = 3


def run() -> None:
    """Run the daemon of this process's command line."""
    sys.exit(main(sys.argv[1:], os.environ, sys.stderr))


def main(
    argv: Sequence[str],
    env: Mapping[str, str],
    stderr: TextIO,
    make_world: Callable[[Settings, Mapping[str, str]], World] | None = None,
) -> int:
    """Run the daemon; the exit status.

    Args:
        argv: without the program's name.
        env: the environment, for settings and for plugin binaries.
        stderr: for logs, and the one line about what is wrong.
        make_world: makes what the daemon stands on; default the machine itself.
    """
    try:
        settings = read_settings(argv, env)
        _require_root()
        configure(settings.log_level, stderr)
        held = hold_state(settings.state_dir)
        try:
            return asyncio.run(_run(settings, env, make_world or machine))
        finally:
            os.close(held)
    except PlanesError as error:
        print(f"{PROG}: {error}", file=stderr)
        return 1


def _require_root() -> None:
    if os.geteuid() != 0:
        raise Denied(
            "cannot attach sandboxes to networks as an ordinary user",
            remedy="run it as root",
        )


def machine(settings: Settings, env: Mapping[str, str]) -> World:
    """Make the world of production: this machine's kernel, programs, clock and files."""
    clock = SystemClock()
    files = ThreadPoolExecutor(FILE_THREADS, thread_name_prefix="files")
    store = DirStore(
        settings.standalone,
        settings.state_dir,
        clock=clock,
        node=settings.node,
        addresses_dir=settings.address_dir,
        executor=files,
        namespace_isolation=settings.namespace_isolation,
        global_namespaces=settings.global_namespaces,
    )
    kernel = Kernel(threads=KERNEL_THREADS)
    return World(store, kernel, SystemExec(env, clock), clock, Silent(), files)


async def _run(
    settings: Settings,
    env: Mapping[str, str],
    make_world: Callable[[Settings, Mapping[str, str]], World],
) -> int:
    world = make_world(settings, env)
    try:
        daemon = Daemon(settings, world)
        # What lives as long as the process need not be looked at by every collection.
        gc.freeze()
        return await daemon.run()
    finally:
        await asyncio.to_thread(world.kernel.close)


if __name__ == "__main__":
    run()
