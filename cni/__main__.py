"""The command line of `netplane-cni`: the daemon, and its commands."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TextIO

from cni.address_commands import adopt, check_addresses
from cni.daemon import Daemon
from cni.environment import Environment, machine
from cni.forget import forget, pending
from cni.host.containment import adopt_orphans, owner_of, unfinished_of
from cni.host.previous_run import kill_previous
from cni.host.state_lock import lock_state_dir
from cni.install import install
from cni.settings import PROG, Settings, read_settings
from cni.uninstall import uninstall
from planes.model.errors import Denied, PlanesError
from planes.run.descriptors import raise_limit
from planes.run.exit_watchdog import ExitWatchdog
from planes.run.logs import configure
from planes.run.worker_threads import describe_stuck

# On a cluster the previous daemon may still be draining, and its plugins undoing their calls.
STATE_LOCK_SECONDS: Final = 90.0
_log = logging.getLogger(__name__)

# The daemon drains for 37 s, and kubelet kills it after 45 (terminationGracePeriodSeconds).
END_SECONDS: Final = 41.0
CLOSE_SECONDS: Final = 2.0
INTERRUPTED: Final = 130  # a shell's exit status for SIGINT
_COMMANDS: Final = {
    "install": install,
    "uninstall": uninstall,
    "pending": pending,
    "forget": forget,
    "check-addresses": check_addresses,
    "adopt": adopt,
}


def run() -> None:
    """Run what the command line of this process names, and exit."""
    sys.exit(main(sys.argv[1:], os.environ, sys.stderr))


def main(
    argv: Sequence[str],
    env: Mapping[str, str],
    stderr: TextIO,
    make_environment: Callable[[Settings, Mapping[str, str]], Environment] | None = None,
) -> int:
    """Run the daemon, or the command that is named (see `_COMMANDS`); return the exit status.

    Args:
        argv: without the program's name.
        env: the environment, for settings and for plugin binaries.
        stderr: for logs, and for an error in one line.
        make_environment: `cni.environment.machine` where it is None.
    """
    command = _COMMANDS.get(argv[0]) if argv else None
    try:
        if command is not None:
            return command(argv[1:], env, stderr)
        settings = read_settings(argv, env)
        _require_root()
        configure(settings.log_level, stderr)
        raise_limit()
        lock = lock_state_dir(
            settings.state_dir, 0.0 if settings.is_standalone else STATE_LOCK_SECONDS
        )
        unfinished = unfinished_of(settings.state_dir) if settings.is_standalone else None
        if ended := kill_previous(owner_of(settings.state_dir), unfinished):
            _log.warning("killed plugins of the daemon before us", extra={"programs": ended})
        watchdog = ExitWatchdog()
        try:
            make = make_environment or machine
            return asyncio.run(_run(settings, env, make, watchdog, lock))
        finally:
            watchdog.disarm()
            os.close(lock)
    except PlanesError as error:
        print(f"{PROG}: {error}", file=stderr)
        return 1
    except KeyboardInterrupt:  # of a command; the daemon handles signals itself
        print(f"{PROG}: interrupted", file=stderr)
        return INTERRUPTED


def _require_root() -> None:
    if os.geteuid() != 0:
        raise Denied(
            "cannot attach sandboxes to networks as an ordinary user",
            remedy="run it as root",
        )


async def _run(
    settings: Settings,
    env: Mapping[str, str],
    make_environment: Callable[[Settings, Mapping[str, str]], Environment],
    watchdog: ExitWatchdog,
    lock: int,
) -> int:
    adopt_orphans()
    environment = make_environment(settings, env)
    watchdog.explain(lambda: describe_stuck(environment.stuck(CLOSE_SECONDS)))
    status = 1
    try:
        daemon = Daemon(settings, environment, lock, lambda: watchdog.arm(END_SECONDS))
        # Objects that exist until the process exits need not be scanned by every collection.
        gc.freeze()
        status = await daemon.run()
    finally:
        await environment.close()
        await asyncio.to_thread(environment.kernel.close, CLOSE_SECONDS)
        watchdog.arm(CLOSE_SECONDS, status)  # asyncio may still wait for a thread that hangs
    return status


if __name__ == "__main__":
    run()
