"""The daemon's command line."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TextIO

from cni.contain import adopt_orphans, owner_of, unfinished_of
from cni.daemon import Daemon
from cni.earlier import end_earlier
from cni.install import install
from cni.machine import machine
from cni.settings import PROG, Settings, read_settings
from cni.state_lock import hold_state
from cni.uninstall import uninstall
from cni.world import World
from planes.model.errors import Denied, PlanesError
from planes.run.crew import told
from planes.run.descriptors import raise_limit
from planes.run.last_resort import LastResort
from planes.run.logs import configure

# On a cluster the daemon before us may still be carrying out its last calls: what it drains for,
# and what a plugin may take to undo.
PATIENCE: Final = 90.0
_log = logging.getLogger(__name__)

# The daemon drains for 37 s, and kubelet kills it after 45 (terminationGracePeriodSeconds).
END_SECONDS: Final = 41.0
CLOSE_SECONDS: Final = 2.0
_COMMANDS: Final = {"install": install, "uninstall": uninstall}


def run() -> None:
    """Run the daemon of this process's command line."""
    sys.exit(main(sys.argv[1:], os.environ, sys.stderr))


def main(
    argv: Sequence[str],
    env: Mapping[str, str],
    stderr: TextIO,
    make_world: Callable[[Settings, Mapping[str, str]], World] | None = None,
) -> int:
    """Run the daemon, or what is named instead (`install`, `uninstall`); the exit status.

    Args:
        argv: without the program's name.
        env: the environment, for settings and for plugin binaries.
        stderr: for logs, and the one line about what is wrong.
        make_world: makes what the daemon stands on; default the machine itself.
    """
    command = _COMMANDS.get(argv[0]) if argv else None
    try:
        if command is not None:
            return command(argv[1:], env, stderr)
        settings = read_settings(argv, env)
        _require_root()
        configure(settings.log_level, stderr)
        raise_limit()
        held = hold_state(settings.state_dir, 0.0 if settings.is_standalone else PATIENCE)
        unfinished = unfinished_of(settings.state_dir) if settings.is_standalone else None
        if ended := end_earlier(owner_of(settings.state_dir), unfinished):
            _log.warning("killed plugins of the daemon before us", extra={"programs": ended})
        resort = LastResort()
        try:
            return asyncio.run(_run(settings, env, make_world or machine, resort))
        finally:
            resort.disarm()
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


async def _run(
    settings: Settings,
    env: Mapping[str, str],
    make_world: Callable[[Settings, Mapping[str, str]], World],
    resort: LastResort,
) -> int:
    adopt_orphans()
    world = make_world(settings, env)
    resort.explain(lambda: told(world.stuck(CLOSE_SECONDS)))
    status = 1
    try:
        daemon = Daemon(settings, world, on_stop=lambda: resort.arm(END_SECONDS))
        # What lives as long as the process need not be looked at by every collection.
        gc.freeze()
        status = await daemon.run()
    finally:
        await world.close()
        await asyncio.to_thread(world.kernel.close, CLOSE_SECONDS)
        resort.arm(CLOSE_SECONDS, status)  # what asyncio still waits for hangs
    return status


if __name__ == "__main__":
    run()
