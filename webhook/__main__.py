"""The webhook program: reads its settings and runs standalone or on a cluster until a signal.

An error at start is one line on stderr and an exit status (2: settings, 1: the machine), never a
traceback.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

from planes.model.errors import BadInput, PlanesError
from planes.run import logs
from planes.run.clock import Clock, SystemClock
from planes.run.descriptors import raise_limit
from planes.run.service_manager import ServiceManager, service_manager
from webhook import problems, standalone
from webhook import settings as configuration
from webhook.settings import WebhookSettings


def main(argv: Sequence[str], env: Mapping[str, str], stderr: TextIO) -> int:
    """Run the program and return its exit status."""
    try:
        if argv and argv[0] == problems.COMMAND:
            return problems.show(argv[1:], env, sys.stdout)
        settings = configuration.read(argv, env)
    except PlanesError as error:
        print(f"{configuration.PROGRAM}: {error}", file=stderr)
        return 2
    logs.configure(settings.log_level, stderr)
    raise_limit()
    try:
        return asyncio.run(_serve(settings, SystemClock(), service_manager(env)))
    except PlanesError as error:
        print(f"{configuration.PROGRAM}: {error}", file=stderr)
        return 1


def run() -> None:
    """Run as the console script."""
    sys.exit(main(sys.argv[1:], os.environ, sys.stderr))


async def _serve(settings: WebhookSettings, clock: Clock, manager: ServiceManager) -> int:
    if settings.cluster is not None:
        # A machine without a cluster need not pay for the Kubernetes adapter in memory.
        from webhook import cluster  # noqa: PLC0415

        return await cluster.serve(settings, settings.cluster, clock, manager)
    if settings.manifests is None or settings.cert_dir is None:
        raise BadInput(
            "cannot start without --standalone DIR and --cert-dir DIR",
            remedy="give both on a machine without a cluster; in a pod neither is needed",
        )
    return await standalone.serve(settings, settings.manifests, settings.cert_dir, clock, manager)


if __name__ == "__main__":
    run()
